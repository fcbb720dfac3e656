package host

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
)

// public6 is what the Internet uses of IPv6; everything else is local, mapped
// or translated into something, or reserved.
var public6 = netip.MustParsePrefix("2000::/3")

// notPublic lists the networks that are not the Internet, and not covered by
// public6.
var notPublic = prefixes(
	"0.0.0.0/8",        // this network
	"10.0.0.0/8",       // private
	"100.64.0.0/10",    // carriers' private
	"127.0.0.0/8",      // this machine
	"168.63.129.16/32", // inside of a cloud, with a public number
	"169.254.0.0/16",   // this link, and the metadata of clouds
	"172.16.0.0/12",    // private
	"192.0.0.0/24",     // protocols' own
	"192.0.2.0/24",     // documentation
	"192.88.99.0/24",   // relays of 6to4
	"192.168.0.0/16",   // private
	"198.18.0.0/15",    // measurements
	"198.51.100.0/24",  // documentation
	"203.0.113.0/24",   // documentation
	"224.0.0.0/4",      // multicast
	"240.0.0.0/4",      // reserved, and broadcast
	"2001::/23",        // protocols' own, Teredo among them
	"2001:db8::/32",    // documentation
	"2002::/16",        // 6to4: has any address of IPv4 in it
	"3fff::/20",        // documentation
)

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// mayDial tells whether an address is public, or in one of the networks that
// were granted.
func mayDial(addr netip.Addr, granted []netip.Prefix) bool {
	addr = addr.WithZone("")
	within := func(p netip.Prefix) bool { return p.Contains(addr) }
	switch {
	case slices.ContainsFunc(granted, func(p netip.Prefix) bool { return p.Contains(addr.Unmap()) }):
		return true
	case addr.Is4():
		return !slices.ContainsFunc(notPublic, within)
	}
	return public6.Contains(addr) && !slices.ContainsFunc(notPublic, within)
}

// dialler connects to public addresses and to the private networks that were
// granted.
type dialler struct {
	resolver *net.Resolver
	timeout  time.Duration
	private  []netip.Prefix
}

// dial looks up and connects. The address is checked when the socket has it:
// what a name was looked up for earlier, or is for somebody else, does not count.
// Its error is a *deniedError when an address was refused.
func (d dialler) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var refused atomic.Pointer[deniedError]
	check := func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err == nil && mayDial(to.Addr(), d.private) {
			return nil
		}
		e := &deniedError{text: "the address " + to.Addr().String() + ` is not public; the operator can add its network, such as "` + single(to.Addr()) +
			`", to the plugin's grants.privateNetworks in plugins.yaml`}
		refused.Store(e)
		return e
	}
	conn, err := (&net.Dialer{Timeout: d.timeout, Resolver: d.resolver, Control: check}).DialContext(ctx, network, address)
	if e := refused.Load(); err != nil && e != nil { // beside it, another address may just have failed
		return nil, e
	}
	return conn, err
}

// single is the network of one address.
func single(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	return netip.PrefixFrom(addr, addr.BitLen()).String()
}
