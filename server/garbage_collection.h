// Removes what no record names: content whose creation or deletion was cut short by the death of a server, and blobs
// that no checkpoint has, or has any more.
//
// Errors are logged, and what cannot be removed stays for the next time.
#pragma once

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/store/blob_store.h"
#include "core/store/data_directory.h"
#include "core/store/metadata_store.h"

namespace modelpatch::server {

// Called once, by the owner of the data directory, before anything is served and before the scheduler starts.
void CollectGarbage(const store::DataDirectory& directory, store::MetadataStore& metadata, base::Logger& log);

// Removes blobs and half-written ones. Spares the blobs of checkpoints and of unfinished jobs' steps, and whatever was
// put or written since the first of the unfinished jobs began to run: its worker may have stored a blob that no record
// names yet. `now` is the present time. Thread-safe; takes the mutex of `blobs`.
void CollectBlobs(const store::BlobStore& blobs, store::MetadataStore& metadata, base::WallTime now, base::Logger& log);

}  // namespace modelpatch::server
