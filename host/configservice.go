package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/core"
)

// ConfigServiceConfig is what a ConfigService is made of.
type ConfigServiceConfig struct {
	// URL is the base address of the config service. Credentials in it are sent as
	// basic authentication and shown nowhere.
	URL string

	// Dir is the directory that sources are relative to. Defaults to the working
	// directory.
	Dir string

	// Copy is the file in which the list is kept that was used last. It is made
	// when there is none. Required.
	Copy string

	// ReadOnly leaves Copy as it is: nobody acts on what is read.
	ReadOnly bool

	// Period is how often the service is asked, give or take a fifth. Defaults to
	// 30 seconds.
	Period time.Duration

	// Timeout bounds one request. Defaults to 10 seconds.
	Timeout time.Duration

	// Logger defaults to none.
	Logger hclog.Logger

	// Clock defaults to the machine's.
	Clock core.Clock
}

// ConfigService reads the list of plugins from the config service:
//
//	GET <URL>/plugins
//	If-None-Match: the ETag of the last answer, if it had one
//
// 200 has the list, in the syntax of plugins.yaml, YAML or JSON; 304 stands for
// the last one. Everything else is an error. While the service does not answer,
// the list that was used last goes on; it is kept in a file, also for a restart.
// Redirects are not followed and proxies not used.
//
// Whoever writes the list decides what runs here and with which secrets; but it
// can name only programs below one directory. It is safe for concurrent use.
type ConfigService struct {
	cfg      ConfigServiceConfig
	endpoint string
	shown    string
	client   *http.Client

	mu    sync.Mutex
	saved []byte // what Copy has, as far as is known
	etag  string
	text  []byte // nil: nothing was read yet
	next  time.Time
	away  bool // the last request failed
}

// NewConfigService makes a ConfigService. It fails when the URL is not an
// absolute http or https address. Nothing is requested yet.
func NewConfigService(cfg ConfigServiceConfig) (*ConfigService, error) {
	base, err := url.Parse(cfg.URL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, errors.New("config service: the address is not an absolute http or https URL")
	}
	if cfg.Period <= 0 {
		cfg.Period = 30 * time.Second
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	if cfg.Clock == nil {
		cfg.Clock = core.SystemClock{}
	}
	list := base.JoinPath("plugins")
	list.RawQuery, list.Fragment = "", ""
	shown := *list
	shown.User = nil
	return &ConfigService{
		cfg: cfg, endpoint: list.String(), shown: shown.String(),
		client: &http.Client{
			Timeout:       cfg.Timeout,
			Transport:     &http.Transport{Proxy: nil, DisableKeepAlives: true, ForceAttemptHTTP2: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// String is the address of the list, without credentials.
func (s *ConfigService) String() string { return s.shown }

// read implements source.
func (s *ConfigService) read(ctx context.Context) ([]document, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fetch(ctx); err != nil {
		return nil, err
	}
	return s.documents(s.text), nil
}

// look implements source: it asks the service once in a period.
func (s *ConfigService) look(ctx context.Context) (docs []document, known bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.cfg.Clock.Now().Before(s.next) {
		wasAway := s.away
		err := s.fetch(ctx)
		switch {
		case err != nil && !wasAway && ctx.Err() == nil:
			s.cfg.Logger.Warn("the config service cannot be read; the last list goes on", "from", s.shown, "error", err)
		case err == nil && wasAway:
			s.cfg.Logger.Info("the config service can be read again", "from", s.shown)
		}
	}
	if s.text == nil {
		return nil, false, nil
	}
	return s.documents(s.text), true, nil
}

func (s *ConfigService) documents(text []byte) []document {
	return []document{{dir: s.cfg.Dir, text: text, far: true}}
}

// kept implements source.
func (s *ConfigService) kept() ([]document, bool) {
	text, err := readBounded(s.cfg.Copy, maxFile)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			s.cfg.Logger.Error("the list of plugins that was kept cannot be read", "error", err)
		}
		return nil, false
	}
	return s.documents(text), true
}

// keep implements source. The file is replaced as a whole.
func (s *ConfigService) keep(docs []document) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.ReadOnly || len(docs) != 1 || s.saved != nil && bytes.Equal(s.saved, docs[0].text) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(s.cfg.Copy), 0o700); err != nil {
		return fmt.Errorf("keep the list of plugins: %w", err)
	}
	fresh := s.cfg.Copy + ".new"
	if err := os.WriteFile(fresh, docs[0].text, 0o600); err != nil {
		return fmt.Errorf("keep the list of plugins: %w", err)
	}
	if err := os.Rename(fresh, s.cfg.Copy); err != nil {
		return fmt.Errorf("keep the list of plugins: %w", err)
	}
	s.saved = docs[0].text
	return nil
}

// fetch asks the service. The lock is held.
func (s *ConfigService) fetch(ctx context.Context) error {
	spread := 0.8 + 0.4*rand.Float64() // many nodes start together
	s.next = s.cfg.Clock.Now().Add(time.Duration(spread * float64(s.cfg.Period)))
	err := s.request(ctx)
	s.away = err != nil
	return err
}

func (s *ConfigService) request(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.endpoint, nil)
	if err != nil {
		return errors.New("the address cannot be used")
	}
	req.Header.Set("Accept", "application/yaml, application/json")
	req.Header.Set("User-Agent", userAgent)
	if s.etag != "" {
		req.Header.Set("If-None-Match", s.etag)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the address, which may have credentials
		}
		return fmt.Errorf("the config service does not answer: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	switch {
	case resp.StatusCode == http.StatusNotModified && s.text != nil:
		return nil
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("the config service answers %d; it has to answer 200 with the list of plugins", resp.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxFile+1))
	switch {
	case err != nil:
		return fmt.Errorf("the config service's answer breaks off: %w", err)
	case len(text) > maxFile:
		return fmt.Errorf("the config service's answer is larger than %s", Size(maxFile))
	}
	s.etag, s.text = resp.Header.Get("ETag"), text
	return nil
}

var _ source = (*ConfigService)(nil)
