package sqlite

import (
	"context"
	"fmt"
	"strings"
)

// Facts returns lines that describe the database without anything of what users stored in it: its version, size and schema, how many
// rows each table has, and how many builds and jobs are in each state.
func (s *Store) Facts(ctx context.Context) ([]string, error) {
	line := func(row scanner) (text string, err error) { return text, row.Scan(&text) }
	facts, err := all(ctx, s.r, line, `SELECT 'SQLite ' || sqlite_version()
		UNION ALL SELECT 'schema ' || max(version_id) FROM goose_db_version
		UNION ALL SELECT 'bytes ' || (page_count * page_size) || ', of which free ' || (freelist_count * page_size) FROM pragma_page_count, pragma_page_size, pragma_freelist_count
		UNION ALL SELECT 'builds ' || state || ' ' || outcome || ': ' || count(*) FROM builds GROUP BY state, outcome
		UNION ALL SELECT 'jobs ' || kind || ' ' || state || ': ' || count(*) FROM jobs GROUP BY kind, state`)
	if err != nil {
		return nil, err
	}
	tables, err := all(ctx, s.r, line, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`)
	if err != nil {
		return facts, err
	}
	for _, table := range tables {
		rows, err := all(ctx, s.r, line, fmt.Sprintf(`SELECT count(*) FROM "%s"`, strings.ReplaceAll(table, `"`, `""`))) //nolint:gosec // a name has no parameter
		if err != nil {
			return facts, err
		}
		facts = append(facts, "rows of "+table+": "+rows[0])
	}
	return facts, nil
}
