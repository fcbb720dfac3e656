//go:build unix

package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

func redis() service {
	return service{
		name: "redis", env: "TEST_REDIS_URL", packages: []string{"redis-server"},
		binary: func() (string, error) { return find("redis-server", "redis-server") },
		start:  startRedis,
	}
}

// startRedis starts a Redis that keeps nothing on disk.
func startRedis(ctx context.Context, h *house, binary, dir string) (string, error) {
	port, err := freePort()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(binary, "--bind", "127.0.0.1", "--port", port, "--dir", dir, "--save", "", "--appendonly", "no") //nolint:gosec // found by us
	p, err := h.run(cmd, filepath.Join(dir, "redis.log"), syscall.SIGKILL)
	if err != nil {
		return "", err
	}
	address := net.JoinHostPort("127.0.0.1", port)
	return "redis://" + address + "/0", p.await(ctx, func(ctx context.Context) error {
		return pingRedis(ctx, address)
	})
}

func pingRedis(ctx context.Context, address string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && !strings.HasPrefix(answer, "+PONG") {
		err = fmt.Errorf("it answers %q", answer)
	}
	return err
}
