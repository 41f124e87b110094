package api

// SetRetentionRule says which built versions stay: those that any part keeps.
type SetRetentionRule struct {
	KeepLast int    `json:"keep_last,omitempty"` // the newest so many of an image
	KeepDays int    `json:"keep_days,omitempty"` // those built within so many days
	Keep     string `json:"keep,omitempty"`      // patterns of names, with blanks between them; *: all
}

// RetentionRule is a rule that is in force. Without parts all versions stay.
type RetentionRule struct {
	Kind     string `json:"kind"` // versions, or branches: those that pushed branches were built as
	KeepLast int    `json:"keep_last"`
	KeepDays int    `json:"keep_days"`
	Keep     string `json:"keep"`
	From     string `json:"from"` // whose it is: image, namespace or installation
}

// RetainedVersion is what retention makes of a version.
type RetainedVersion struct {
	Version string `json:"version"`
	State   string `json:"state"`
	Branch  string `json:"branch"` // that was pushed; empty: none
	EndedAt Time   `json:"ended_at"`
	Size    int64  `json:"size"` // bytes, of which others may need some
	Keeps   bool   `json:"keeps"`
	Reason  string `json:"reason"` // a clause
}

// DeletedVersion was built and is deleted. Its name is free for the same image alone.
type DeletedVersion struct {
	Version   string `json:"version"`
	Digest    string `json:"digest"`
	Commit    string `json:"commit"` // hex; empty when it came as an image
	Reason    string `json:"reason"` // why retention removed it; empty: a user deleted it
	DeletedAt Time   `json:"deleted_at"`
}
