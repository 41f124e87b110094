package api

// MirroredImage is an image of another registry that is kept for builds.
type MirroredImage struct {
	Name      string   `json:"name"`   // "docker.io/library/alpine"
	Tags      []string `json:"tags"`   // by which it was asked for; none: by its digest
	Digest    string   `json:"digest"` // "sha256:…"
	Size      int64    `json:"size"`   // bytes that are kept of it; what it shares with others is counted for each
	CheckedAt Time     `json:"checked_at"`
	UsedAt    Time     `json:"used_at"`
}

// Pruned is what was removed.
type Pruned struct {
	Images int   `json:"images"`
	Size   int64 `json:"size"` // bytes
}
