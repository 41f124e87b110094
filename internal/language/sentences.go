package language

// DefaultBranch says of an image what a clone checks out, and what will be, where that is awaited; exists is false of a branch that nobody has
// pushed.
func (s Speaker) DefaultBranch(image, name, awaited string, exists bool) string {
	switch {
	case awaited != "":
		return s.Text("%s has no branch %s yet. It becomes the default branch when it is pushed; until then clones check out %s.", image, awaited, name)
	case !exists:
		return s.Text("The default branch of %s is %s, which does not exist yet; push it.", image, name)
	}
	return s.Text("The default branch of %s is %s: clones check it out.", image, name)
}
