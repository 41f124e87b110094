package jobs

// Pending returns how many calls of Put wait for the next transaction.
func (w *Worker) Pending() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.pending)
}
