// Package migrations holds the database schema as numbered SQL files. A file
// that has been released never changes; a new one follows it.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// SQLite returns the migrations of the embedded database, in goose's format.
func SQLite() fs.FS { return sub("sqlite") }

// Postgres returns the migrations of PostgreSQL, in goose's format.
func Postgres() fs.FS { return sub("postgres") }

func sub(dir string) fs.FS {
	tree, err := fs.Sub(files, dir)
	if err != nil { // only an invalid path can fail, and ours are constants
		panic(err)
	}
	return tree
}
