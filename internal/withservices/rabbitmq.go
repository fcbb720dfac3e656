//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

func rabbitmq() service {
	return service{
		name: "rabbitmq", env: "TEST_RABBITMQ_URL", packages: []string{"rabbitmq-server"},
		binary: func() (string, error) {
			// The server's own script; the one in the path may change the user.
			return find("rabbitmq-server", "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server", "rabbitmq-server")
		},
		start: startRabbitMQ,
	}
}

// startRabbitMQ starts a node that nobody else's node knows: with a name, a
// cookie and a name server (epmd) of its own, and no plugins.
func startRabbitMQ(ctx context.Context, h *house, binary, dir string) (string, error) {
	ports, err := freePorts(3)
	if err != nil {
		return "", err
	}
	port, distPort, epmdPort := ports[0], ports[1], ports[2]
	if err := startEPMD(ctx, h, dir, epmdPort); err != nil {
		return "", err
	}
	for name, text := range map[string]string{
		"rabbitmq.conf": "loopback_users = none\nlisteners.tcp.local = 127.0.0.1:" + port + "\n",
		"plugins":       "[].\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	cmd := exec.Command(binary)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(),
		"HOME="+dir, // its cookie
		"ERL_EPMD_PORT="+epmdPort, "ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_NODENAME=withservices"+port+"@localhost",
		"RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", "RABBITMQ_NODE_PORT="+port, "RABBITMQ_DIST_PORT="+distPort,
		"RABBITMQ_MNESIA_BASE="+filepath.Join(dir, "mnesia"), "RABBITMQ_LOG_BASE="+filepath.Join(dir, "log"),
		"RABBITMQ_SCHEMA_DIR="+filepath.Join(dir, "schema"), "RABBITMQ_GENERATED_CONFIG_DIR="+filepath.Join(dir, "config"),
		"RABBITMQ_PID_FILE="+filepath.Join(dir, "pid"),
		"RABBITMQ_CONFIG_FILE="+filepath.Join(dir, "rabbitmq"), "RABBITMQ_ADVANCED_CONFIG_FILE="+filepath.Join(dir, "advanced"),
		"RABBITMQ_CONF_ENV_FILE="+filepath.Join(dir, "none"), // not the machine's settings
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(dir, "plugins"),
	)
	p, err := h.run(cmd, filepath.Join(dir, "rabbitmq.log"), syscall.SIGKILL) // the whole group: script and virtual machine
	if err != nil {
		return "", err
	}
	address := net.JoinHostPort("127.0.0.1", port)
	return "amqp://guest:guest@" + address + "/", p.await(ctx, func(ctx context.Context) error {
		return greetRabbitMQ(ctx, address)
	})
}

// startEPMD starts the node's name server ourselves: the one that the virtual
// machine would start leaves its process group and outlives it.
func startEPMD(ctx context.Context, h *house, dir, port string) error {
	binary, err := find("epmd", "epmd", "/usr/lib/erlang/erts-*/bin/epmd")
	if err != nil {
		return err
	}
	cmd := exec.Command(binary, "-port", port, "-address", "127.0.0.1") //nolint:gosec // found by us
	cmd.Dir = dir
	p, err := h.run(cmd, filepath.Join(dir, "epmd.log"), syscall.SIGKILL)
	if err != nil {
		return err
	}
	return p.await(ctx, func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// greetRabbitMQ begins a conversation and looks whether the broker goes on with
// it: the port opens before the broker is ready to serve.
func greetRabbitMQ(ctx context.Context, address string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write([]byte("AMQP\x00\x00\x09\x01")); err != nil {
		return err
	}
	frame := make([]byte, 1)
	if _, err := conn.Read(frame); err != nil {
		return err
	}
	if frame[0] != 1 { // a method frame: connection.start
		return errors.New(fmt.Sprint("it answers with a frame of type ", frame[0]))
	}
	return nil
}
