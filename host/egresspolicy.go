package host

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
)

// egressPolicy is what an operator grants a plugin of the network.
type egressPolicy struct {
	patterns []httpGrant
	private  []netip.Prefix // networks that may be dialled although they are not public
	secrets  []string
}

// egress reads the grants that are about the network. Its error names the line
// and quotes no value.
func (g Grants) egress(at locator) (egressPolicy, error) {
	p := egressPolicy{secrets: g.Secrets}
	for i, text := range g.HTTP {
		grant, err := parseHTTPGrant(text)
		if err != nil {
			return p, at.error(fmt.Sprintf("grants.http[%d]", i), err.Error())
		}
		p.patterns = append(p.patterns, grant)
	}
	for i, text := range g.PrivateNetworks {
		network, err := netip.ParsePrefix(text)
		if err != nil || network.Addr().Is4In6() {
			return p, at.error(fmt.Sprintf("grants.privateNetworks[%d]", i), "is no network; write an address and the length of its prefix, for example 10.0.0.0/8")
		}
		p.private = append(p.private, network.Masked())
	}
	for i, name := range g.Secrets {
		if !secretName.MatchString(name) {
			return p, at.error(fmt.Sprintf("grants.secrets[%d]", i), "is no name of a secret; use letters, digits, _, - and ., beginning with a letter")
		}
	}
	return p, nil
}

func (p egressPolicy) allows(method string, u *url.URL) bool {
	return slices.ContainsFunc(p.patterns, func(g httpGrant) bool { return g.matches(method, u) })
}

// deniedError is a wish beyond what is granted. It ends the run. Its text says
// what was asked for and how to grant it.
type deniedError struct{ text string }

// Error returns the text.
func (e *deniedError) Error() string { return e.text }

func deniedf(format string, args ...any) error {
	return &deniedError{text: fmt.Sprintf(format, args...)}
}
