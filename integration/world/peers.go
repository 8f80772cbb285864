package world

// A Peer is a program that keeps a package repository as static files, signed by a key of its own. Its
// methods belong to one test, one after another.
type Peer interface {
	// Name returns the program's name.
	Name() string

	// Dir returns the folder that clients read, whatever serves it.
	Dir() string

	// Add adds packages. The index that lists them is written and signed when it returns.
	Add(t T, packages ...string)

	// Remove removes a package that was built by Package.Build, in the same way.
	Remove(t T, b Built)
}
