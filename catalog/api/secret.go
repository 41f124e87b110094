package api

// SetSecret stores a value for builds, in place of the one with the same name, kind, image and tags.
type SetSecret struct {
	Name  string `json:"name"`            // as Dockerfiles name it: RUN --mount=type=secret,id=NAME
	Kind  string `json:"kind,omitempty"`  // secret or ssh; empty: secret
	Image string `json:"image,omitempty"` // whose builds get it; empty: those of every image of the namespace
	Tags  string `json:"tags,omitempty"`  // patterns of the versions that get it, with blanks between them; empty: all
	Value []byte `json:"value"`           // base64 in JSON
}

// Secret is what builds are given. Its value is never told.
type Secret struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Kind  string `json:"kind"`
	Image string `json:"image"`
	Tags  string `json:"tags"`
	SetAt Time   `json:"set_at"` // of the value
}

// SetRegistry stores an account at another registry, in place of the one that is there.
type SetRegistry struct {
	Host     string `json:"host"` // "ghcr.io", "registry.example.com:5000"; Docker Hub by any of its names
	Username string `json:"username"`
	Password string `json:"password"`
}

// Registry is an account at another registry. Its password is never told.
type Registry struct {
	ID       int64  `json:"id"`
	Host     string `json:"host"`
	Username string `json:"username"`
	SetAt    Time   `json:"set_at"` // of the password
}
