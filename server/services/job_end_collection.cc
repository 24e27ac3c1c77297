#include "server/services/job_end_collection.h"

#include <memory>

#include "server/garbage_collection.h"

namespace modelpatch::server {
namespace {

class JobEndWatcher final : public sched::JobWatcher {
 public:
  explicit JobEndWatcher(const ServiceContext& context) : context_(context) {}

  bool OnEvent(const sched::Event&) override { return true; }

  void OnEnd(const absl::Status& status) override {
    // A job that was deleted right after its end may not have told of it any more.
    if (!status.ok() && status.code() != absl::StatusCode::kNotFound) return;
    context_.slow.Schedule(
        [context = context_] { CollectBlobs(context.blobs, context.metadata, context.clock.Now(), context.log); });
  }

 private:
  const ServiceContext context_;
};

}  // namespace

void CollectBlobsAfter(const ServiceContext& context, const std::string& job_id) {
  const auto watch = context.scheduler.Subscribe(job_id, /*from_number=*/1, std::make_shared<JobEndWatcher>(context));
  if (watch.ok()) return;
  context.log.Warning("a job's end will not be seen: its unused blobs stay until another one's",
                      {{"job", job_id}, {"error", std::string(watch.status().message())}});
}

void CollectBlobsAfterUnfinishedJobs(const ServiceContext& context) {
  const auto unfinished = context.metadata.ListUnfinishedJobs();
  if (!unfinished.ok()) return;
  for (const store::JobRecord& job : *unfinished) CollectBlobsAfter(context, job.id);
}

}  // namespace modelpatch::server
