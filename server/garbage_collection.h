// Removes what no record names: content whose creation or deletion was cut short by the death of a server.
//
// Called once, by the owner of the data directory, before anything is served and before the scheduler starts.
#pragma once

#include "core/base/log.h"
#include "core/store/blob_store.h"
#include "core/store/data_directory.h"
#include "core/store/metadata_store.h"

namespace modelpatch::server {

// Spares all blobs while a job is unfinished: its worker may have stored one that no record names yet. Errors are
// logged, and what cannot be removed stays for the next time.
void CollectGarbage(const store::DataDirectory& directory, store::MetadataStore& metadata, base::Logger& log);

}  // namespace modelpatch::server
