package api

import "github.com/gofiber/fiber/v2"

// routes is the whole surface of the service. Fiber matches in this order, so
// fixed paths come before parameters.
func (s *Server) routes() {
	a := s.app

	a.Post("/tasks", s.createTask)
	a.Get("/tasks", s.listTasks)
	a.Get("/tasks/:id", s.getTask)
	a.Put("/tasks/:id", s.updateTask)
	a.Delete("/tasks/:id", s.deleteTask)
	a.Post("/tasks/:id/execute", s.executeTask)
	a.Post("/tasks/:id/cancel", s.cancelTask)
	a.Post("/tasks/:id/pause", s.pauseTask)
	a.Post("/tasks/:id/resume", s.resumeTask)
	a.Post("/tasks/:id/backfill", s.backfillTask)
	a.Get("/tasks/:id/upcoming", s.listUpcoming)
	a.Get("/tasks/:id/explain", s.explainTask)

	a.Post("/schedules", s.createSchedule)
	a.Get("/schedules", s.listSchedules)
	a.Post("/schedules/preview", s.previewSchedule)
	a.Get("/schedules/:id", s.getSchedule)
	a.Put("/schedules/:id", s.updateSchedule)
	a.Delete("/schedules/:id", s.deleteSchedule)
	a.Get("/schedules/:id/tasks", s.listScheduleTasks)

	a.Post("/calendars", s.createCalendar)
	a.Get("/calendars", s.listCalendars)
	a.Get("/calendars/:name", s.getCalendar)
	a.Put("/calendars/:name", s.updateCalendar)
	a.Delete("/calendars/:name", s.deleteCalendar)

	a.Get("/history", s.listHistory)
	a.Get("/history/failed", s.listFailed)
	a.Get("/history/:taskId", s.listTaskHistory)
	a.Post("/history/:id/retry", s.retryExecution)

	a.Get("/executions/:id", s.getExecution)
	a.Get("/executions/:id/logs", s.getExecutionLogs)
	a.Post("/executions/:id/cancel", s.cancelExecution)

	a.Get("/plugins", s.listPlugins)
	a.Get("/plugins/:type", s.getPlugin)
	a.Post("/plugins/reload", s.reloadPlugins)
	a.Post("/plugins/:type/rollback", s.rollbackPlugin)
	a.Post("/plugins/:type/release", s.releasePlugin)

	a.Get("/health", s.getHealth)
	a.Get("/health/live", s.getLive)
	a.Get("/health/ready", s.getReady)
	a.Get("/nodes", s.listNodes)
	a.Get("/metrics", s.getMetrics)
	a.Get("/openapi.yaml", s.getOpenAPI)
}

// Routes lists every route as "METHOD /path/:parameter".
func (s *Server) Routes() []string {
	var all []string
	for _, r := range s.app.GetRoutes(true) {
		if r.Method != fiber.MethodHead {
			all = append(all, r.Method+" "+r.Path)
		}
	}
	return all
}
