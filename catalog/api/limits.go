package api

// NamespaceLimits are what an administrator has set for a namespace in place of what the server gives all; 0 is that.
type NamespaceLimits struct {
	CPUs    float64 `json:"cpus"`    // of one build, as the next five
	Memory  int64   `json:"memory"`  // bytes
	PIDs    int64   `json:"pids"`    // processes and threads
	Disk    int64   `json:"disk"`    // bytes
	Log     int64   `json:"log"`     // bytes
	Timeout float64 `json:"timeout"` // seconds
	Running int     `json:"running"` // builds at once
	Waiting int     `json:"waiting"` // builds in the queue

	// Of all that it has; -1: any amount.
	QuotaBytes    int64 `json:"quota_bytes"` // on disk
	QuotaImages   int   `json:"quota_images"`
	QuotaVersions int   `json:"quota_versions"`
	QuotaBuilds   int   `json:"quota_builds"` // within a day
}

// UpdateNamespaceLimits changes what is there.
type UpdateNamespaceLimits struct {
	CPUs    *float64 `json:"cpus,omitempty"`
	Memory  *int64   `json:"memory,omitempty"`
	PIDs    *int64   `json:"pids,omitempty"`
	Disk    *int64   `json:"disk,omitempty"`
	Log     *int64   `json:"log,omitempty"`
	Timeout *float64 `json:"timeout,omitempty"`
	Running *int     `json:"running,omitempty"`
	Waiting *int     `json:"waiting,omitempty"`

	QuotaBytes    *int64 `json:"quota_bytes,omitempty"`
	QuotaImages   *int   `json:"quota_images,omitempty"`
	QuotaVersions *int   `json:"quota_versions,omitempty"`
	QuotaBuilds   *int   `json:"quota_builds,omitempty"`
}
