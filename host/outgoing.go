package host

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/sdk/wire"
)

const userAgent = "NexusCore-Scheduler"

var (
	headerName  = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
	headerValue = regexp.MustCompile(`^[^\x00-\x08\x0a-\x1f\x7f]*$`)

	// hostsHeaders are the host's own. Those on the first line say how the message
	// is carried, those on the second make some servers take it for another method
	// or path than the one that was granted.
	hostsHeaders = []string{
		"Host", "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings", "Expect", "Content-Length", "Accept-Encoding",
		"X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X-Original-Url", "X-Rewrite-Url",
	}
)

// outgoing is a request as it goes out, secrets filled in. A redirect changes
// it.
type outgoing struct {
	method  string
	url     *url.URL
	header  http.Header
	secrets []string // headers that have a secret in them
	body    []byte
	timeout time.Duration
	follow  bool
}

// outgoing checks a request that a plugin wants and fills in the secrets. key
// makes an idempotency key.
func (w *web) outgoing(asked wire.HTTPRequest, body []byte, key func() string) (*outgoing, error) {
	o := &outgoing{method: asked.Method, body: body, timeout: w.timeout(asked.TimeoutMS), follow: asked.Redirects == nil || *asked.Redirects}
	if o.method == "" {
		o.method = http.MethodGet
	}
	if !slices.Contains(httpMethods, o.method) {
		return nil, refusal("the method %.20q is none of %s", o.method, strings.Join(httpMethods, ", "))
	}
	target, err := w.secrets.fillURL(asked.URL)
	if err != nil {
		return nil, err
	}
	if o.url, err = parseTarget(target); err != nil {
		return nil, err
	}
	if err := w.headers(o, asked.Headers); err != nil {
		return nil, err
	}
	o.addKey(key)
	return o, nil
}

func (w *web) headers(o *outgoing, asked map[string][]string) error {
	o.header = http.Header{"User-Agent": {userAgent}, "Accept-Encoding": {"gzip"}}
	own := http.Header{}
	for _, name := range slices.Sorted(maps.Keys(asked)) { // the same trouble is told in the same words each time
		values := asked[name]
		canonical := http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
		if !headerName.MatchString(name) || slices.Contains(hostsHeaders, canonical) || strings.HasPrefix(canonical, "Proxy-") {
			return refusal("the header %.64q cannot be set by a plugin", name)
		}
		for _, value := range values {
			filled, used, err := w.secrets.fillHeader(value)
			if err != nil {
				return err
			}
			if !headerValue.MatchString(filled) {
				return refusal("the header %.64q has a line break or another control character in it", name)
			}
			own.Add(name, filled)
			if used {
				o.secrets = append(o.secrets, name)
			}
		}
	}
	for name, values := range own {
		o.header[name] = values
	}
	return nil
}

// addKey adds the idempotency key to a request that may change something. The
// number is used up in any case, so that it does not depend on the headers.
//
// The name is written in lower case, which is the same to every server: under
// its usual name net/http takes it for the permission to send the request again
// by itself when a connection breaks. Not every server knows the header, and
// another attempt is the retry policy's to decide.
func (o *outgoing) addKey(key func() string) {
	var own []string
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if values := o.header[name]; values != nil {
			own = values
			delete(o.header, name)
			o.header[strings.ToLower(name)] = values
		}
	}
	switch o.method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		if k := key(); own == nil {
			o.header[strings.ToLower("Idempotency-Key")] = []string{k}
		}
	}
}

// request makes what is sent.
func (o *outgoing) request(ctx context.Context) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, o.method, "http://host.invalid", bytes.NewReader(o.body))
	if err != nil {
		return nil, err
	}
	req.URL, req.Host, req.Header = o.url, o.url.Host, o.header
	return req, nil
}

// redirect turns the request into the one that a redirect asks for. It reports
// false when the answer is no redirect to be followed. To another server nothing
// goes that was meant for the first one.
func (o *outgoing) redirect(resp *http.Response) (bool, error) {
	location := resp.Header.Get("Location")
	if !o.follow || location == "" {
		return false, nil
	}
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound:
		if o.method == http.MethodPost {
			o.toGet()
		}
	case http.StatusSeeOther:
		if o.method != http.MethodHead {
			o.toGet()
		}
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return false, nil
	}
	to, err := o.url.Parse(location)
	if err != nil {
		return false, refusal("%s redirects to an address that cannot be read", o.url.Host)
	}
	to, err = parseTarget(to.String())
	if err != nil {
		return false, refusal("%s redirects: %v", o.url.Host, err)
	}
	if to.Scheme != o.url.Scheme || to.Host != o.url.Host {
		for _, name := range append([]string{"Authorization", "Cookie", "Cookie2"}, o.secrets...) {
			maps.DeleteFunc(o.header, func(key string, _ []string) bool { return strings.EqualFold(key, name) })
		}
	}
	o.url = to
	return true, nil
}

func (o *outgoing) toGet() {
	o.method, o.body = http.MethodGet, nil
	for name := range o.header {
		if strings.HasPrefix(http.CanonicalHeaderKey(name), "Content-") || strings.HasSuffix(strings.ToLower(name), "idempotency-key") {
			delete(o.header, name)
		}
	}
}
