// Package catalog is Fandogh's domain: users, namespaces, images, versions,
// builds and the rules about them, and the interfaces by which the git server,
// the hooks, the builder and the faces know one another. It imports the
// standard library only.
package catalog
