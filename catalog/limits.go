package catalog

// Limits bound what one user may create, so that none fills the installation of all; 0 is no
// limit. What was made before a limit stays.
type Limits struct {
	Tokens     int // that have not expired
	Keys       int
	Namespaces int // beside the own one
	Images     int
	Webhooks   int
	Secrets    int // registry credentials too
}
