// Package api is the REST API: HTTP in, operations of core.Scheduler, JSON out.
// routes.go shows the whole surface; openapi.yaml describes it. Handlers decode,
// call once and render; every failure is returned and rendered in one place.
package api
