package workbench

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/sdk/wire"
)

func TestAManifestWithAWrongNameIsTold(t *testing.T) {
	b, err := New("", nil)
	require.NoError(t, err)
	_, err = b.Load(t.Context(), Program{Runtime: Wasm, Manifest: wire.Manifest{Name: "R One"}}, Settings{})
	require.ErrorContains(t, err, `the manifest's name "R One": use lower-case letters`)
}
