package ledger

// Statements are those that are asked at every upload or request, but for INSERTs, with the index that each must use,
// if any will do: "".
func Statements() map[string]string {
	all := map[string]string{
		endFile: "files_now", lastFile: "files_now", fileNow: "files_now",
		forgetFiles: "files_until", pruneFiles: "files_until", packageIn: "packages_slot", prunePackages: "packages_removed",
	}
	for _, s := range append(commitStatements(), isSigned, isReferred, selectSignatures, selectSignaturesAt, selectHead, packageAt,
		packagesAt, packageIn, packagesFrom, fileNow, fileThen, fileLasting, filesFrom, selectObject, selectState, scanState, lastBefore,
		pruneFiles, pruneGenerations, prunePackages, pruneObject, selectRing, deleteRing, selectSecret, isKept) {
		if _, ok := all[s]; !ok && s[:len("INSERT")] != "INSERT" {
			all[s] = ""
		}
	}
	return all
}
