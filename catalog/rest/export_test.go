package rest

// RouteRow is a row of the route table, for tests to compare and to try.
type RouteRow struct {
	Method   string
	Path     string
	Declared bool // has an access
	Open     bool
	Writes   bool // needs more than the right to read
}

// RouteTable returns the route table.
func RouteTable() []RouteRow {
	rows := make([]RouteRow, 0, len(routes()))
	for _, r := range routes() {
		rows = append(rows, RouteRow{
			Method:   r.method,
			Path:     "/" + r.path,
			Declared: r.access != access{} && (r.access.open || r.access.action != ""),
			Open:     r.access.open,
			Writes:   !r.access.open && r.access.action != accessRead.action,
		})
	}
	return rows
}
