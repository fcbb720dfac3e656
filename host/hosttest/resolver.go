package hosttest

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
)

// Resolver answers each look at a name with the address that a function gives. The
// looks at a name are counted from 1.
func Resolver(address func(name string, look int) string) *net.Resolver {
	var mu sync.Mutex
	looks := map[string]int{}
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			defer func() { _ = server.Close() }()
			for {
				name, question, ok := readQuestion(server)
				if !ok {
					return
				}
				mu.Lock()
				if binary.BigEndian.Uint16(question[len(question)-4:]) == 1 {
					looks[name]++
				}
				answer := address(name, looks[name])
				mu.Unlock()
				if _, err := server.Write(dnsAnswer(question, netip.MustParseAddr(answer))); err != nil {
					return
				}
			}
		}()
		return client, nil
	}}
}

// readQuestion reads one query over TCP: its id with the flags, and the question.
func readQuestion(conn net.Conn) (name string, question []byte, ok bool) {
	head := make([]byte, 2)
	if _, err := conn.Read(head); err != nil {
		return "", nil, false
	}
	query := make([]byte, binary.BigEndian.Uint16(head))
	for n := 0; n < len(query); {
		m, err := conn.Read(query[n:])
		if err != nil {
			return "", nil, false
		}
		n += m
	}
	end := 12
	for query[end] != 0 {
		name += string(query[end+1:end+1+int(query[end])]) + "."
		end += int(query[end]) + 1
	}
	return name, query[:end+5], true
}

// dnsAnswer answers questions for IPv4 with one address, and others with none.
func dnsAnswer(question []byte, addr netip.Addr) []byte {
	message := bytes.Clone(question)
	copy(message[2:12], []byte{0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	if binary.BigEndian.Uint16(question[len(question)-4:]) == 1 {
		message[7] = 1
		message = append(message, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		message = append(message, addr.AsSlice()...)
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
}
