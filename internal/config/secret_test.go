package config_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/config"
)

func TestASecretIsNotShown(t *testing.T) {
	type holder struct{ S config.Secret }
	secret := config.Secret("hunter2")
	encoded, err := json.Marshal(holder{secret})
	require.NoError(t, err)
	for _, shown := range []string{
		fmt.Sprint(secret), fmt.Sprintf("<%s>", secret), fmt.Sprintf("%v", secret), fmt.Sprintf("%+v", holder{secret}),
		fmt.Sprintf("%#v", secret), fmt.Sprintf("%#v", holder{secret}), fmt.Sprintf("%q", secret), string(encoded),
	} {
		require.NotContains(t, shown, "hunter2")
		require.Contains(t, shown, "***")
	}
	require.Equal(t, "hunter2", secret.Reveal())
	require.Empty(t, config.Secret("").String(), "one sees that it is not set")
}
