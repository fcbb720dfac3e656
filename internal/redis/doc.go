// Package redis lets many nodes share leases, limits and hints through a Redis
// server (version 6 or later, alone, replicated or in a cluster).
//
// Redis is never where the truth is kept: what it forgets, or never heard of,
// costs work or time. When it does not answer, every call fails with
// UNAVAILABLE within Config.Timeout, and Fallback goes on with the store's own
// leases and limits.
package redis
