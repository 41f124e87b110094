// Package catalog is Fandogh's domain: users, namespaces, images, versions,
// builds and the rules about them, and the interfaces by which the git server,
// the hooks, the builder and what users talk to know one another. It imports the
// standard library only, so that any of them may import it and none needs another.
//
// It has no life of its own: its types are values, copied as things stood when a
// Store was asked, and nothing here starts, waits or keeps anything. A Store lives
// as long as the daemon, or as one admin verb; what is asked of it is one
// transaction each, which has happened whole when a call returns without an error.
//
// What always holds, by any interface: a version that is Built never changes and never
// becomes anything else; states follow one another as [State.CanBecome] says; a
// version has the state of its newest build; who may do what is said by [Decide]
// alone; a name belongs to one thing at a time, without regard to case, and stays
// taken until the [Removal] of the last owner's files is done; whatever happens is
// an [Event] of the same transaction. Every error has a [Code], and its sentence is
// safe to show to any client.
package catalog
