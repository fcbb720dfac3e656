package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/lib/pq"
	amqp "github.com/rabbitmq/amqp091-go"
	redisdriver "github.com/redis/go-redis/v9"
)

// trouble is why a server cannot be used, so far as its driver's error says it.
type trouble string

const (
	away        trouble = "away"        // it cannot be reached, or that is all that is known
	answers     trouble = "answers"     // it answers, with an error of another kind
	credentials trouble = "credentials" // it refuses who asks
	missing     trouble = "missing"     // it has not what is named: a database, a vhost
	noTLS       trouble = "tls"         // the two do not agree about TLS, or a certificate is not trusted
)

// passing reports whether it may be over without anybody changing the
// configuration.
func (t trouble) passing() bool { return t == away || t == answers }

// troubleWith tells the trouble that an error of a driver is about.
func troubleWith(err error) trouble {
	if e, ok := errors.AsType[*pq.Error](err); ok {
		return troubleWithPostgres(e)
	}
	if e, ok := errors.AsType[*amqp.Error](err); ok {
		return troubleWithRabbitMQ(e)
	}
	if e, ok := errors.AsType[redisdriver.Error](err); ok {
		return troubleWithRedis(e)
	}
	if errors.Is(err, pq.ErrSSLNotSupported) || isA[tls.RecordHeaderError](err) || isA[*tls.CertificateVerificationError](err) ||
		isA[tls.AlertError](err) || isA[x509.UnknownAuthorityError](err) || isA[x509.HostnameError](err) || isA[x509.CertificateInvalidError](err) {
		return noTLS
	}
	return away
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func troubleWithPostgres(e *pq.Error) trouble {
	switch {
	case e.Code == "3D000":
		return missing
	case e.Code == "28000" && (strings.Contains(e.Message, "no encryption") || strings.Contains(e.Message, "SSL off")):
		return noTLS // pg_hba.conf lets in who comes with it
	case e.Code.Class() == "28", e.Code == "42501":
		return credentials
	}
	return answers
}

func troubleWithRabbitMQ(e *amqp.Error) trouble {
	switch {
	case e == amqp.ErrVhost, e.Server && e.Code == amqp.NotAllowed:
		return missing // or the user may not use it
	case e == amqp.ErrCredentials, e == amqp.ErrSASL, e.Server && e.Code == amqp.AccessRefused:
		return credentials
	case e.Server:
		return answers
	}
	return away
}

func troubleWithRedis(e redisdriver.Error) trouble {
	for _, begin := range []string{"WRONGPASS", "NOAUTH", "NOPERM", "ERR AUTH", "ERR invalid password"} {
		if strings.HasPrefix(e.Error(), begin) {
			return credentials
		}
	}
	if strings.Contains(e.Error(), "DB index") {
		return missing
	}
	return answers
}

// probeTime bounds a look at what a port speaks.
const probeTime = 2 * time.Second

// otherSecurity reports whether a server speaks TLS where the address says that
// it does not, or the other way round. The drivers do not see it: they wait for
// an answer that does not come, or lose the connection.
func otherSecurity(ctx context.Context, address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return false // so it goes for an address without a port, too: the drivers know their own
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	if u.Scheme != "rediss" {
		plain := u.Scheme == "redis" || u.Scheme == "amqp"
		// Whom it is does not matter here, and nothing is said to it.
		return plain && tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx) == nil //nolint:gosec // see above
	}
	first := make([]byte, 1)
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	_, err = conn.Read(first)
	return err == nil && (first[0] == '+' || first[0] == '-')
}
