package api

// Layer is one filesystem layer of an image.
type Layer struct {
	Digest    string `json:"digest"`     // "sha256:…" as stored
	Size      int64  `json:"size"`       // bytes as stored, compressed
	CreatedBy string `json:"created_by"` // the instruction that made it
}

// ImageConfig is how containers of an image start.
type ImageConfig struct {
	Env          []string          `json:"env"` // NAME=value
	Cmd          []string          `json:"cmd"`
	Entrypoint   []string          `json:"entrypoint"`
	ExposedPorts []string          `json:"exposed_ports"` // "8080/tcp"
	User         string            `json:"user"`
	WorkingDir   string            `json:"working_dir"`
	Labels       map[string]string `json:"labels"`
}

// HistoryEntry is one instruction of an image's history.
type HistoryEntry struct {
	CreatedAt  Time   `json:"created_at"`
	CreatedBy  string `json:"created_by"`
	Size       int64  `json:"size"` // bytes of its layer as stored, 0 without one
	Comment    string `json:"comment"`
	EmptyLayer bool   `json:"empty_layer"`
}

// ImageContent is what an image says about itself.
type ImageContent struct {
	Platform  string   // "linux/amd64"; of several the first, which the rest is of
	Platforms []string // all
	Layers    []Layer
	Config    ImageConfig
	History   []HistoryEntry // newest first
}
