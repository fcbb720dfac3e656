package rabbitmq

import (
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestASocketSendsAllInOrderAndBeforeItCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		s := newSocket(ours, time.Minute)
		var want []byte
		for i := range 1000 {
			part := []byte{byte(i), byte(i >> 8), 1}
			want = append(want, part...)
			n, err := s.Write(part)
			require.NoError(t, err)
			require.Equal(t, len(part), n)
		}
		closed := make(chan error)
		go func() { closed <- s.Close() }()
		got, err := io.ReadAll(theirs)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.NoError(t, <-closed)
		_, err = s.Write([]byte("late"))
		require.ErrorIs(t, err, net.ErrClosed)
	})
}

func TestASocketGathersWhatComesWhileItSends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		s := newSocket(ours, time.Minute)
		for range 100 {
			_, err := s.Write([]byte("message"))
			require.NoError(t, err)
			synctest.Wait()
		}
		piece := make([]byte, 1000)
		n, err := theirs.Read(piece)
		require.NoError(t, err)
		require.Equal(t, len("message"), n, "the first was on its way")
		n, err = theirs.Read(piece)
		require.NoError(t, err)
		require.Equal(t, 99*len("message"), n)
		require.NoError(t, s.Close())
	})
}

func TestAPeerThatTakesNothingEndsTheConnectionAfterTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer func() { _ = theirs.Close() }()
		s := newSocket(ours, time.Minute)
		begin := time.Now()
		written := 0
		for {
			n, err := s.Write(make([]byte, 64<<10))
			if err != nil {
				break
			}
			written += n
		}
		require.Equal(t, time.Minute, time.Since(begin))
		require.LessOrEqual(t, written, 2*(maxPending+64<<10), "the buffer is bounded")
		_, err := s.Read(make([]byte, 1))
		require.Error(t, err, "the driver notices")
		require.NoError(t, s.Close())
	})
}

func TestAClosedSocketDoesNotWaitForAPeerThatTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer func() { _ = theirs.Close() }()
		s := newSocket(ours, time.Minute)
		_, err := s.Write([]byte("last words"))
		require.NoError(t, err)
		begin := time.Now()
		require.NoError(t, s.Close())
		require.Equal(t, lastWords, time.Since(begin))
	})
}

// A TLS connection that closes sets a deadline for writing that has passed.
func TestASocketSendsItsLastWordsUnderTLSToo(t *testing.T) {
	server := httptest.NewTLSServer(nil) // for its certificate
	certificates := server.TLS.Certificates
	server.Close()
	ours, theirs := net.Pipe()
	said := make(chan string, 1)
	go func() {
		words, _ := io.ReadAll(tls.Server(theirs, &tls.Config{Certificates: certificates}))
		said <- string(words)
	}()
	client := tls.Client(newSocket(ours, time.Minute), &tls.Config{InsecureSkipVerify: true})
	_, err := client.Write([]byte("last words"))
	require.NoError(t, err)
	require.NoError(t, client.Close())
	require.Equal(t, "last words", <-said)
}

func TestAConnectionThatFailsBeforeItsHandshakeIsClosed(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = server.Close() }()
	ended := make(chan error, 1)
	go func() {
		c, err := server.Accept()
		if err == nil {
			_, err = c.Read(make([]byte, 1))
			_ = c.Close()
		}
		ended <- err
	}()
	_, err = connect(t.Context(), Config{URL: "amqps://" + server.Addr().String() + "/?cacertfile=/nowhere", Timeout: time.Minute}, "test")
	require.ErrorContains(t, err, "/nowhere")
	require.ErrorIs(t, <-ended, io.EOF)
}
