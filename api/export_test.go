package api

import "time"

// WriteTimeout is how long a caller may take to read an answer.
func (s *Server) WriteTimeout() time.Duration { return s.app.Config().WriteTimeout }

// LongestWait is the most that ?wait= takes.
const LongestWait = maxWait
