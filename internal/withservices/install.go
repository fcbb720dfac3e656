//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// install makes sure that the server programs are there.
func install(ctx context.Context, services []service, stderr io.Writer) error {
	var packages []string
	var missing []error
	for _, s := range services {
		if _, err := s.binary(); err != nil {
			packages = append(packages, s.packages...)
			missing = append(missing, err)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	names := strings.Join(packages, " ")
	_, err := exec.LookPath("apt-get")
	if err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("%w\ninstall these packages (names as in Debian): %s; or set the TEST_ variable of a running service", errors.Join(missing...), names)
	}
	fmt.Fprintln(stderr, "withservices: installing", names)
	if err := aptInstall(ctx, packages, stderr); err != nil {
		return fmt.Errorf("install %s: %w", names, err)
	}
	return nil
}

// aptInstall installs Debian packages and keeps them from starting their
// services: ours are private.
func aptInstall(ctx context.Context, packages []string, stderr io.Writer) (err error) {
	const policy = "/usr/sbin/policy-rc.d" // asked before a package starts a service; 101 is no
	if _, statErr := os.Stat(policy); errors.Is(statErr, os.ErrNotExist) {
		if err := os.WriteFile(policy, []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil { //nolint:gosec // it is a program
			return err
		}
		defer func() { err = errors.Join(err, os.Remove(policy)) }()
	}
	for _, args := range [][]string{
		{"update", "-q"},
		append([]string{"install", "-q", "-y", "--no-install-recommends"}, packages...),
	} {
		cmd := exec.CommandContext(ctx, "apt-get", args...) //nolint:gosec // the packages are ours
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
		cmd.Stdout, cmd.Stderr = stderr, stderr
		if err := cmd.Run(); err != nil {
			return err
		}
	}
	return nil
}

// find returns the last file that matches one of the patterns, which are tried
// in order: of several versions the newest.
func find(what string, patterns ...string) (string, error) {
	for _, p := range patterns {
		if !strings.Contains(p, "/") {
			if path, err := exec.LookPath(p); err == nil {
				return path, nil
			}
			continue
		}
		if found, _ := filepath.Glob(p); len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	return "", fmt.Errorf("%s is not installed", what)
}
