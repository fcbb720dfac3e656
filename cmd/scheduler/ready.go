package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/nexuscore/scheduler/internal/config"
)

// readyTime bounds the question.
const readyTime = 3 * time.Second

// ready asks the service on this machine whether it is ready: a health check for
// where there is no curl.
func ready(ctx context.Context, args []string, env environment) int {
	if len(args) > 0 {
		fmt.Fprintln(env.stderr, "usage: scheduler ready")
		return exitUsage
	}
	cfg, err := config.Load(env.getenv)
	if err != nil {
		fmt.Fprintf(env.stderr, "scheduler: the configuration is wrong:\n%s\n", err)
		return exitUsage
	}
	host := cfg.Host
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	url := "http://" + net.JoinHostPort(host, fmt.Sprint(cfg.Port)) + "/health/ready"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		fmt.Fprintf(env.stderr, "scheduler: %s\n", err)
		return exitError
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Fprintf(env.stderr, "not ready: %s\n", err)
		return exitError
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		fmt.Fprintf(env.stderr, "not ready: %s answers %s\n", url, resp.Status)
		return exitError
	}
	fmt.Fprintln(env.stdout, "ready")
	return exitOK
}
