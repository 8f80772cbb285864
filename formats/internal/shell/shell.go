// Package shell has what set-up texts of several formats share.
package shell

import (
	"slices"
	"strings"

	"hallmark/formats/format"
)

// Quote returns text as one word of a shell.
func Quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// maxFolders is how many folders a text lists.
const maxFolders = 20

// Folders returns the folder that a client is pointed at if nobody chooses: the root if there are packages in it, or else
// the first. Where there are several, others is a comment that lists them and says that DIRECTORY chooses.
func Folders(s format.Site) (folder, others string, err error) {
	var folders []string
	for shard, err := range s.Tree.Shards() {
		if err != nil {
			return "", "", err
		}
		folders = append(folders, shard.Shard)
	}
	if len(folders) > 0 && !slices.Contains(folders, "") {
		folder = folders[0]
	}
	if len(folders) < 2 {
		return folder, "", nil
	}
	var b strings.Builder
	b.WriteString("# It has packages in several folders. Set DIRECTORY to use another of:\n")
	for _, name := range folders[:min(len(folders), maxFolders)] {
		b.WriteString("#   '" + name + "'\n")
	}
	if len(folders) > maxFolders {
		b.WriteString("#   and more\n")
	}
	return folder, b.String(), nil
}
