package conformance

// instructions are cases of every instruction and flag.
func instructions() []example {
	return []example{
		{name: "from scratch, copy all", dockerfile: "FROM scratch\nCOPY . /app/\n", large: "src", sample: true},
		{name: "from base, copy all", dockerfile: "FROM @base\nCOPY . /app/\n", large: "src"},
	}
}
