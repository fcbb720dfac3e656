package core

import "time"

// Page asks for a part of a list that is sorted by id, newest first.
type Page struct {
	Limit int    // 1 to 200
	After string // id of the last item of the previous page; "" is the first page
}

// TaskFilter selects tasks; zero fields select all.
type TaskFilter struct {
	Type       string
	Enabled    *bool
	Labels     map[string]string // all must match
	Query      string            // part of the name, whatever the letter case
	ScheduleID string
}

// ExecutionFilter selects executions, live and finished; zero fields select all.
type ExecutionFilter struct {
	TaskID   string
	Type     string
	Statuses []Status
	Trigger  Trigger
	From, To *time.Time // by creation: From ≤ createdAt < To
}
