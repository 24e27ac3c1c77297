#include "server/server.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "core/sched/local_process_executor.h"
#include "core/store/data_directory.h"
#include "core/store/sqlite_metadata_store.h"
#include "core/tensor/compat.h"
#include "server/device_budget.h"
#include "server/garbage_collection.h"
#include "server/grpc_server.h"
#include "server/http/http_server.h"
#include "server/job_completion.h"
#include "server/prometheus_metrics.h"
#include "server/promoted_patches.h"
#include "server/services/checkpoint_service.h"
#include "server/services/classify_answer.h"
#include "server/services/evaluation_service.h"
#include "server/services/health_service.h"
#include "server/services/inference_service.h"
#include "server/services/model_service.h"
#include "server/services/open_inference_service.h"
#include "server/services/patch_job_service.h"
#include "server/services/patch_service.h"
#include "server/services/task_service.h"
#include "server/services/upload_service.h"
#include "server/version.h"

namespace modelpatch::server {
namespace {

constexpr int kQuickThreads = 4;
constexpr int kSlowThreads = 4;
// Behind inference.
constexpr int kSlowNice = 10;
constexpr int kBackgroundThreads = 2;
constexpr int kTransferThreads = 2;
constexpr int kBackgroundNice = 10;
// As many sweeps as there are background threads may hold their share at once.
constexpr int64_t kSweepShareOfMemory = 4;
// Of the bytes for zero-shot heads, what class lists may take as they came.
constexpr int64_t kClassListShareOfHeads = 8;

int CoreCount() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

absl::StatusOr<tensor::Device> ChooseDevice(const std::string& name) {
  if (name != "auto") return tensor::Device::Parse(name);
  const std::vector<tensor::DeviceInfo> devices = tensor::AvailableDevices();
  return devices.empty() ? tensor::Device() : devices.front().device;
}

// How the memory of a device is shared; inference has none of a device that it does not run on.
DeviceBudget BudgetOf(const tensor::DeviceInfo& info, const tensor::Device& serving, const ServerOptions& options) {
  const int64_t caches = options.model_cache_bytes + options.mixture_cache_bytes + options.head_cache_bytes;
  const DeviceBudget shared = DivideDevice(info.memory_bytes, caches, info.device.is_cuda());
  if (info.device == serving) return shared;
  return {0, shared.serving_bytes + shared.leasable_bytes};
}

std::vector<sched::Device> LeasableDevices(const tensor::Device& serving, const ServerOptions& options) {
  std::vector<sched::Device> devices;
  for (const tensor::DeviceInfo& info : tensor::AvailableDevices()) {
    const DeviceBudget budget = BudgetOf(info, serving, options);
    if (info.device == serving) tensor::LimitDeviceMemory(serving, budget.serving_bytes);
    devices.push_back({info.device.ToString(), budget.leasable_bytes, /*maximum_leases=*/1});
  }
  return devices;
}

absl::StatusOr<std::string> FindWorker(const std::string& given) {
  std::error_code error;
  std::filesystem::path path = given;
  if (given.empty()) path = std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / "modelpatch-worker";
  if (access(path.c_str(), X_OK) != 0) {
    return base::NotFound("WORKER_BINARY_NOT_FOUND",
                          fmt::format("there is no program '{}'; give its path with --worker-binary", path.string()));
  }
  return std::filesystem::absolute(path, error).string();
}

data::DecodeLimits DecodeLimitsOf(const ServerOptions& options) {
  data::DecodeLimits limits;
  limits.maximum_pixels = options.maximum_image_pixels;
  return limits;
}

serve::EngineOptions EngineOptionsOf(const ServerOptions& options, const tensor::Device& device) {
  serve::EngineOptions engine;
  engine.caches.device = device;
  engine.caches.precision = options.precision;
  engine.caches.model_bytes = options.model_cache_bytes;
  engine.caches.mixture_bytes = options.mixture_cache_bytes;
  engine.caches.head_bytes = options.head_cache_bytes - options.head_cache_bytes / kClassListShareOfHeads;
  engine.decode_limits = DecodeLimitsOf(options);
  engine.prompt_limits.maximum_classes = options.maximum_classes;
  engine.prompt_limits.maximum_prompt_bytes = options.maximum_prompt_bytes;
  engine.sweep_bytes = sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / kSweepShareOfMemory;
  engine.batcher.maximum_batch = options.maximum_batch;
  engine.batcher.maximum_queued_images = options.maximum_queued_images;
  engine.batcher.maximum_delay_seconds = options.maximum_batch_delay_milliseconds / 1e3;
  return engine;
}

}  // namespace

// Members in the order of their making; they go in the reverse order, after gRPC has stopped.
struct Server::State {
  State(const ServerOptions& the_options, base::Logger& the_log)
      : options(the_options), log(the_log), streams(options.maximum_streams) {}

  absl::Status Open();
  absl::Status StartServing();

  const ServerOptions options;
  base::Logger& log;
  const base::SystemClock clock;
  PrometheusMetrics metrics;
  std::atomic<bool> ready = false;

  std::optional<store::DataDirectory> directory;
  std::optional<RootPaths> import_roots;
  std::unique_ptr<store::MetadataStore> metadata;
  std::optional<store::BlobStore> blobs;
  std::optional<ContentDirectory> models;
  std::optional<ContentDirectory> tasks;
  std::optional<MixtureResolver> resolver;
  std::optional<ClassLists> class_lists;
  std::unique_ptr<base::Executor> preprocess;
  std::optional<serve::InferenceEngine> engine;
  std::optional<sched::LocalProcessExecutor> workers;
  std::optional<JobCompletion> completion;
  std::optional<sched::Scheduler> scheduler;
  std::unique_ptr<base::Executor> quick;
  std::unique_ptr<base::Executor> slow;
  std::unique_ptr<base::Executor> background;
  OpenStreams streams;
  std::optional<UploadStore> uploads;
  std::unique_ptr<base::Executor> transfers;
  std::unique_ptr<base::Timer> timer;

  std::optional<HealthService> health;
  std::optional<ModelService> model_service;
  std::optional<TaskService> task_service;
  std::optional<PatchJobService> patch_job_service;
  std::optional<CheckpointService> checkpoint_service;
  std::optional<PatchService> patch_service;
  std::optional<EvaluationService> evaluation_service;
  std::optional<InferenceService> inference_service;
  std::optional<OpenInferenceService> open_inference_service;
  std::optional<UploadService> upload_service;
  std::unique_ptr<GrpcServer> grpc;
  std::unique_ptr<HttpServer> http;
};

absl::Status Server::State::Open() {
  MP_ASSIGN_OR_RETURN(const std::string worker, FindWorker(options.worker_binary));
  MP_ASSIGN_OR_RETURN(const tensor::Device device, ChooseDevice(options.device));
  MP_ASSIGN_OR_RETURN(import_roots, RootPaths::Make(options.import_roots));
  MP_ASSIGN_OR_RETURN(directory, store::DataDirectory::Open(options.data_dir));
  MP_ASSIGN_OR_RETURN(metadata, store::OpenSqliteMetadataStore(directory->metadata_path()));
  CollectGarbage(*directory, *metadata, log);

  blobs.emplace(directory->blobs_path());
  models.emplace(directory->models_path(), directory->staging_path());
  tasks.emplace(directory->tasks_path(), directory->staging_path());
  resolver.emplace(*metadata, directory->models_path());
  class_lists.emplace(PromptLimitsOf(options), options.head_cache_bytes / kClassListShareOfHeads);
  preprocess = base::MakeThreadPool(options.preprocess_threads > 0 ? options.preprocess_threads : CoreCount());
  engine.emplace(EngineOptionsOf(options, device), *preprocess, *blobs, clock, metrics);
  quick = base::MakeThreadPool(kQuickThreads);
  slow = base::MakeThreadPool(kSlowThreads, kSlowNice);
  background = base::MakeThreadPool(kBackgroundThreads, kBackgroundNice);
  transfers = base::MakeThreadPool(kTransferThreads);
  timer = base::MakeTimer();
  uploads.emplace(UploadStoreOptions{directory->staging_path(), options.maximum_upload_bytes,
                                     std::chrono::seconds(options.upload_seconds)},
                  clock, *timer, *transfers);

  const std::vector<sched::Device> devices = LeasableDevices(device, options);
  sched::LocalProcessOptions process;
  process.program = worker;
  workers.emplace(std::move(process), clock);
  completion.emplace(clock);
  sched::SchedulerOptions scheduling;
  scheduling.jobs_path = directory->jobs_path();
  scheduling.devices = devices;
  scheduler.emplace(std::move(scheduling), *metadata, *workers, *completion, clock, log, metrics);

  const ServiceContext context{options, clock,   log,           *metadata,  *blobs,      *engine, *scheduler,
                               *models, *tasks,  *import_roots, *resolver,  *quick,      *slow,   *background,
                               *timer,  streams, *uploads,      *transfers, *class_lists};
  health.emplace(options.maximum_watches);
  model_service.emplace(context, *health);
  task_service.emplace(context);
  patch_job_service.emplace(
      context,
      JobPlanner(*metadata, *resolver, {directory->jobs_path(), directory->tasks_path(), directory->blobs_path()},
                 DecodeLimitsOf(options), devices));
  checkpoint_service.emplace(context);
  patch_service.emplace(context);
  evaluation_service.emplace(context);
  inference_service.emplace(context);
  open_inference_service.emplace(context, [this] { return ready.load(); });
  upload_service.emplace(context);
  log.Info("inference device", {{"device", device.ToString()}});
  return absl::OkStatus();
}

absl::Status Server::State::StartServing() {
  MP_ASSIGN_OR_RETURN(const Address address, ParseAddress(options.http_address));
  MP_ASSIGN_OR_RETURN(http,
                      HttpServer::Start(address, {[this] { return metrics.Text(); }, [this] { return ready.load(); }}));
  MP_RETURN_IF_ERROR(scheduler->Start());
  PinPromotedPatches(*metadata, *resolver, *engine, log);
  MP_RETURN_IF_ERROR(model_service->AnnounceModels());
  MP_ASSIGN_OR_RETURN(grpc, GrpcServer::Start(options,
                                              {&*health, &*model_service, &*task_service, &*patch_job_service,
                                               &*checkpoint_service, &*patch_service, &*evaluation_service,
                                               &*inference_service, &*upload_service, &*open_inference_service},
                                              clock, metrics, log));
  metrics.GetGauge("modelpatch_build_info", "Always 1; the version is a label.", {{"version", Version()}}).Set(1);
  for (const char* service : {"", v1::ModelService::service_full_name(), v1::TaskService::service_full_name(),
                              v1::PatchJobService::service_full_name(), v1::CheckpointService::service_full_name(),
                              v1::PatchService::service_full_name(), v1::EvaluationService::service_full_name(),
                              v1::InferenceService::service_full_name(), v1::UploadService::service_full_name(),
                              ::inference::GRPCInferenceService::service_full_name()}) {
    health->SetServing(service);
  }
  ready = true;
  return absl::OkStatus();
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options, base::Logger& log) {
  std::unique_ptr<Server> server(new Server(std::make_unique<State>(options, log)));
  MP_RETURN_IF_ERROR(server->state_->Open());
  MP_RETURN_IF_ERROR(server->state_->StartServing());
  return server;
}

Server::~Server() { Drain(); }

const std::string& Server::grpc_address() const { return state_->grpc->address(); }
const std::string& Server::http_address() const { return state_->http->address(); }

void Server::Drain() {
  state_->ready = false;
  if (state_->health.has_value()) state_->health->Stop();
  if (state_->scheduler.has_value()) state_->scheduler->Stop();
  state_->streams.EndAll();
  if (state_->grpc != nullptr) state_->grpc->Stop();
  state_->http.reset();
}

}  // namespace modelpatch::server
