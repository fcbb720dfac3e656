package host

// Concurrency is how many runs a task type may have at once, by its limits in
// plugins.yaml; 0 for a type that is not loaded. The engine starts no more: a
// run that waited for a place in here would hold a worker's slot and use up its
// own deadline.
func (h *Host) Concurrency(taskType string) int {
	s := h.slotOf(taskType)
	if !s.works() {
		return 0
	}
	return cap(s.free)
}
