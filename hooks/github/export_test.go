package github

// ReadEvent returns the ref that an event tells of.
func ReadEvent(event string, payload []byte) (ref, reason string, err error) {
	a, reason, err := readEvent(event, payload)
	return a.Ref, reason, err
}

// RepositoryOf returns the repository that a payload names.
func RepositoryOf(payload []byte) string { return originOf(payload).Name }

// CompareNames is the order of tags, for tests.
var CompareNames = compareNames
