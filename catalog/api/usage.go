package api

// NamespaceUsage is what a namespace has, and what its images take on disk, in bytes, as du counts them.
type NamespaceUsage struct {
	Namespace string       `json:"namespace"`
	Bytes     int64        `json:"bytes"`  // layers, git and logs
	Layers    int64        `json:"layers"` // and Git LFS objects: of all images, each content once
	Git       int64        `json:"git"`
	Logs      int64        `json:"logs"`
	Versions  int          `json:"versions"` // in any state
	Builds    int          `json:"builds"`   // that were asked for within a day
	Quota     Quota        `json:"quota"`
	Images    []ImageUsage `json:"images"` // by name
}

// Quota is what a namespace may have; 0 is any amount.
type Quota struct {
	Bytes    int64 `json:"bytes"`
	Images   int   `json:"images"`
	Versions int   `json:"versions"`
	Builds   int   `json:"builds"` // within a day
}

// ImageUsage is what one image takes, in bytes.
type ImageUsage struct {
	Image    string `json:"image"` // NAMESPACE/NAME
	Versions int    `json:"versions"`
	Own      int64  `json:"own"`    // of layers and Git LFS objects, those that no other image of the namespace has
	Shared   int64  `json:"shared"` // the others
	Git      int64  `json:"git"`
	Logs     int64  `json:"logs"`
}

// ServerUsage is what takes the server's disk, in bytes.
type ServerUsage struct {
	Namespaces []NamespaceTotal `json:"namespaces"` // by name
	Parts      []PartUsage      `json:"parts"`      // by name
}

// NamespaceTotal is what the images of one namespace take. Layers that two namespaces have count in both.
type NamespaceTotal struct {
	Namespace string `json:"namespace"`
	Images    int    `json:"images"`
	Versions  int    `json:"versions"` // in any state
	Bytes     int64  `json:"bytes"`    // layers, git and logs
	Layers    int64  `json:"layers"`   // and Git LFS objects: of all images, each content once
	Git       int64  `json:"git"`
	Logs      int64  `json:"logs"`
}

// PartUsage is what one part of the data directory takes.
type PartUsage struct {
	Part  string `json:"part"` // repos, registry, logs, build_cache, mirror, database, times, uploads or other
	Bytes int64  `json:"bytes"`
}
