package api

// AuditLine is something that a user or an administrator changed.
type AuditLine struct {
	ID    int64             `json:"id"`
	At    Time              `json:"at"`
	Via   string            `json:"via"` // the interface: "rest", "web", "ssh", "registry", "lfs", "admin"
	User  string            `json:"user"`
	From  string            `json:"from"` // the client's address
	What  string            `json:"what"`
	About map[string]string `json:"about"` // what it was done to
}
