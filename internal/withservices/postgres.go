//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

func postgres() service {
	return service{
		name: "postgres", env: "TEST_DATABASE_URL", packages: []string{"postgresql"},
		binary: func() (string, error) {
			return find("postgres", "/usr/lib/postgresql/*/bin/postgres", "/usr/pgsql-*/bin/postgres", "postgres")
		},
		start: startPostgres,
	}
}

// startPostgres makes a cluster and starts it. What it commits is synced to
// disk, as in production: tests of durability and benchmarks mean something.
func startPostgres(ctx context.Context, h *house, binary, dir string) (string, error) {
	who, err := postgresUser(dir)
	if err != nil {
		return "", err
	}
	binary, err = filepath.EvalSymlinks(binary) // its neighbours are where it really is
	if err != nil {
		return "", err
	}
	bin, data := filepath.Dir(binary), filepath.Join(dir, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), //nolint:gosec // found by us
		"--pgdata", data, "--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = dir, &syscall.SysProcAttr{Credential: who}
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w: %s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(binary, "-D", data, "-p", port, "-k", dir, //nolint:gosec // found by us
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=400", "-c", "shared_buffers=256MB", "-c", "max_wal_size=2GB",
		"-c", "unix_socket_permissions=0777")
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Credential: who}
	p, err := h.run(cmd, filepath.Join(dir, "postgres.log"), syscall.SIGQUIT) // "immediate shutdown": nothing is kept
	if err != nil {
		return "", err
	}
	return "postgresql://postgres@127.0.0.1:" + port + "/postgres?sslmode=disable",
		p.await(ctx, func(ctx context.Context) error {
			return exec.CommandContext(ctx, filepath.Join(bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", port).Run() //nolint:gosec // found by us
		})
}

// postgresUser finds whom to run as, and gives the directory to them: Postgres
// refuses to run as root. nil is to run as we do.
func postgresUser(dir string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr, os.Chown(dir, int(uid), int(gid))); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("it does not run as root, and there is neither a user postgres nor a user nobody")
}
