// What the services share. The composition root owns all of it, and it outlives the gRPC server.
#pragma once

#include "core/base/clock.h"
#include "core/base/executor.h"
#include "core/base/log.h"
#include "core/base/timer.h"
#include "core/sched/scheduler.h"
#include "core/serve/inference_engine.h"
#include "core/store/blob_store.h"
#include "core/store/metadata_store.h"
#include "server/class_lists.h"
#include "server/content_directory.h"
#include "server/mixture_resolver.h"
#include "server/options.h"
#include "server/root_paths.h"
#include "server/services/open_streams.h"
#include "server/uploads/upload_store.h"

namespace modelpatch::server {

struct ServiceContext {
  const ServerOptions& options;
  const base::Clock& clock;
  base::Logger& log;
  store::MetadataStore& metadata;
  const store::BlobStore& blobs;
  serve::InferenceEngine& engine;
  sched::Scheduler& scheduler;
  ContentDirectory& models;
  ContentDirectory& tasks;
  const RootPaths& import_roots;
  const MixtureResolver& resolver;
  // For look-ups of a few milliseconds.
  base::Executor& quick;
  // For work of seconds: imports, loading, merging.
  base::Executor& slow;
  // For evaluations and sweeps: one thread of low priority for each that may run at once.
  base::Executor& background;
  base::Timer& timer;
  OpenStreams& streams;
  UploadStore& uploads;
  // For reading and writing pieces of files that clients send and fetch.
  base::Executor& transfers;
  ClassLists& class_lists;
};

}  // namespace modelpatch::server
