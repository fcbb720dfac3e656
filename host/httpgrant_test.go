package host_test

import (
	"net/netip"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/host"
)

func TestHTTPGrants(t *testing.T) {
	const discord = "https://discord.com/api/**"
	tests := []struct {
		pattern, request string
		want             bool
	}{
		{discord, "GET https://discord.com/api/v10/users/@me", true},
		{discord, "DELETE https://DISCORD.com:443/api/x?y=z#f", true},
		{discord, "GET https://discord.com/api", true},
		{discord, "GET https://discord.com/api/", true},
		{discord, "GET https://discord.com/apis", false},
		{discord, "GET https://discord.com/API/x", false},
		{discord, "GET https://discord.com/", false},
		{discord, "GET https://discord.com", false},
		{discord, "GET http://discord.com/api/x", false},
		{discord, "GET https://discord.com:8443/api/x", false},
		{discord, "GET https://discord.com.evil.example/api/x", false},
		{discord, "GET https://evil.example/discord.com/api/x", false},
		{discord, "GET https://cdn.discord.com/api/x", false},
		{discord, "GET https://discord.com/api/../admin", false},
		{discord, "GET https://discord.com/api/%2e%2e/admin", false},
		{discord, "GET https://discord.com/api/.%2E/admin", false},
		{discord, "GET https://discord.com/x/..//api//y", true},
		{discord, "GET https://discord.com//api/y", true},
		{discord, "GET https://discord.com/api/./y/", true},
		{"POST https://api.twitch.tv/helix/chat/*", "POST https://api.twitch.tv/helix/chat/messages", true},
		{"POST https://api.twitch.tv/helix/chat/*", "GET https://api.twitch.tv/helix/chat/messages", false},
		{"POST https://api.twitch.tv/helix/chat/*", "POST https://api.twitch.tv/helix/chat/", false},
		{"POST https://api.twitch.tv/helix/chat/*", "POST https://api.twitch.tv/helix/chat/a/b", false},
		{"GET,POST https://api.twitch.tv/helix/*/x", "GET https://api.twitch.tv/helix/a%20b/x", true},
		{"GET,POST https://api.twitch.tv/helix/*/x", "PUT https://api.twitch.tv/helix/a/x", false},
		{"https://api.twitch.tv/helix/a%20b", "PUT https://api.twitch.tv/helix/a%20b", true},
		{"https://*.example.com:8443/**", "GET https://a.example.com:8443/", true},
		{"https://*.example.com:8443/**", "GET https://a.b.example.com:8443/x/y", true},
		{"https://*.example.com:8443/**", "GET https://a.example.com:08443/", true},
		{"https://*.example.com:8443/**", "GET https://example.com:8443/", false},
		{"https://*.example.com:8443/**", "GET https://a.example.com/", false},
		{"https://*.example.com:8443/**", "GET https://aexample.com:8443/", false},
		{"https://*/hook", "GET https://anything.example/hook", true},
		{"https://*/hook", "GET https://anything.example/", false},
		{"https://example.com/", "GET https://example.com", true},
		{"https://example.com/", "GET https://example.com/x", false},
		{"http://127.0.0.1:8080/**", "GET http://127.0.0.1:8080/x", true},
		{"http://[::1]/**", "GET http://[0:0::1]:80/x", true},
	}
	for _, test := range tests {
		t.Run(test.pattern+" "+test.request, func(t *testing.T) {
			method, address, _ := strings.Cut(test.request, " ")
			got, _, patternErr, addressErr := host.GrantMatches(test.pattern, method, address)
			require.NoError(t, patternErr)
			require.NoError(t, addressErr)
			require.Equal(t, test.want, got)
		})
	}
}

func TestHTTPGrantsThatAreWrong(t *testing.T) {
	for _, pattern := range []string{
		"", "discord.com", "https://discord.com", "ftp://discord.com/**", "https:///x", "https://a b/**", "post https://a.example/", "CONNECT https://a.example/",
		"GET, POST https://a.example/", "https://u:p@a.example/**", "https://a.example/?x=1", "https://a.example/#x", "https://a.example/?", "https://a.*.example/",
		"https://*a.example/", "https://a.example:0/", "https://a.example:99999/", "https://a.example/x*", "https://a.example/**/x", "https://a.example/../x",
		"https://a.example//x", "https://a.example/%2f", "https://*.127.0.0.1/x", "https://[fe80::1%25eth0]/x", "https://ä.example/x", "https://a.example/%zz",
	} {
		_, _, err, _ := host.GrantMatches(pattern, "GET", "https://a.example/")
		require.ErrorContains(t, err, "is no pattern", pattern)
	}
}

func TestAddressesThatAreWrong(t *testing.T) {
	for address, want := range map[string]string{
		"ftp://a.example/":                               "neither http",
		"//a.example/":                                   "neither http",
		"https:a.example":                                "neither http",
		"https://user@a.example/":                        "Authorization",
		"https://user:canary@a.example/":                 "Authorization",
		"https://discord.com@a.example/":                 "Authorization",
		"https:///x":                                     "host and port",
		"https://ä.example/":                             "ASCII",
		"https://a.example./":                            "host and port",
		"https://a.example:0/":                           "host and port",
		"https://a.example:65536/":                       "host and port",
		"https://[fe80::1%25eth0]/":                      "host and port",
		"https://a.example/x%2f..%2fy":                   "encoded slash",
		"https://a.example/x%5cy":                        "encoded slash",
		`https://a.example/x\y`:                          "encoded slash",
		"https://a.example/%252e%252e/x":                 "encoded slash",
		"https://a.example/x/..;a=b/y":                   "encoded slash",
		"https://a.example/%00":                          "encoded slash",
		"https://a.example/%zz-canary":                   "cannot be read",
		"https://a.example/\n":                           "cannot be read",
		"https://a.example/" + strings.Repeat("x", 9000): "longer than",
	} {
		_, _, _, err := host.GrantMatches("https://*/**", "GET", address)
		require.ErrorContains(t, err, want, address)
		require.NotContains(t, err.Error(), "canary")
	}
}

// FuzzHTTPGrant looks for an address that a pattern covers and that leads
// elsewhere, for whoever reads what is sent.
func FuzzHTTPGrant(f *testing.F) {
	for _, seed := range []string{
		"https://example.com/api/x", "https://example.com/api/%2e%2e/x", "https://example.com/api/..;/x", "https://a@example.com/api", "https://example.com\\@b/api/",
		"https://example.com/api/%252e%252e/x", "https://example.com:443//api/./../api/b?x#y", "https://EXAMPLE.com:0443/api/",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		got, sent, patternErr, err := host.GrantMatches("https://example.com/api/**", "GET", address)
		require.NoError(t, patternErr)
		if err != nil {
			return
		}
		again, resent, _, err := host.GrantMatches("https://example.com/api/**", "GET", sent.String())
		require.NoError(t, err)
		require.Equal(t, got, again)
		require.Equal(t, sent.String(), resent.String(), "the form is stable")
		if !got {
			return
		}
		read, err := url.Parse(sent.String())
		require.NoError(t, err)
		require.Equal(t, "example.com", read.Host)
		require.Nil(t, read.User)
		for range 3 { // also for who decodes too often
			require.Regexp(t, `^/api(/|$)`, path.Clean(strings.ReplaceAll(read.Path, `\`, "/")))
			decoded, err := url.PathUnescape(read.Path)
			if err != nil {
				return
			}
			read.Path = decoded
		}
	})
}

func TestAddresses(t *testing.T) {
	for _, text := range []string{
		"0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.0.1", "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255",
		"192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::1", "3fff::1",
		"5f00::1", "fc00::1", "fd12::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
	} {
		require.False(t, host.MayDial(netip.MustParseAddr(text)), text)
	}
	for _, text := range []string{
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "100.63.255.255", "100.128.0.1", "126.255.255.255", "128.0.0.1", "168.63.129.15", "172.15.255.255", "172.32.0.1",
		"192.167.255.255", "198.17.255.255", "198.20.0.1", "223.255.255.255", "2606:4700::1111", "2a00:1450::1",
	} {
		require.True(t, host.MayDial(netip.MustParseAddr(text)), text)
	}
}

func TestGrantedNetworksMayBeDialled(t *testing.T) {
	ten, loopback, unique := netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("fd00::/8")
	for text, want := range map[string]bool{
		"10.1.2.3": true, "127.0.0.1": true, "::ffff:10.1.2.3": true, "fd00::1": true, "127.0.0.2": false, "11.0.0.1": true, "192.168.0.1": false, "fc00::1": false, "64:ff9b::a01:203": false,
	} {
		require.Equal(t, want, host.MayDial(netip.MustParseAddr(text), ten, loopback, unique), text)
	}
}
