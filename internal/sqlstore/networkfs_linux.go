package sqlstore

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// networkFS names the file systems (statfs(2), f_type) on which neither locks
// nor the shared memory of the write-ahead log can be relied upon. FUSE is
// among them because sshfs, s3fs and their like cannot be told from local ones.
var networkFS = map[uint32]string{
	unix.NFS_SUPER_MAGIC:  "NFS",
	unix.SMB_SUPER_MAGIC:  "SMB",
	unix.CIFS_SUPER_MAGIC: "SMB",
	unix.SMB2_SUPER_MAGIC: "SMB",
	unix.FUSE_SUPER_MAGIC: "FUSE",
	unix.V9FS_MAGIC:       "9P",
	unix.CEPH_SUPER_MAGIC: "Ceph",
	unix.AFS_SUPER_MAGIC:  "AFS",
	unix.CODA_SUPER_MAGIC: "Coda",
}

// refuseNetworkFS fails when dir is on a network file system. A directory that
// cannot be asked is given the benefit of the doubt.
func refuseNetworkFS(dir string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return nil
	}
	if name, ok := networkFS[uint32(st.Type)]; ok { // f_type is 32 bits wide in a field of varying size
		return fmt.Errorf("%s is on a network file system (%s), where SQLite's locks do not hold; "+
			"use a local directory, or PostgreSQL", dir, name)
	}
	return nil
}
