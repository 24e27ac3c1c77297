#include "client/cli/demo.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/curve_text.h"
#include "client/cli/demo_classify.h"
#include "client/cli/demo_figures.h"
#include "client/cli/demo_server.h"
#include "client/cli/demo_text.h"
#include "client/cli/interrupt_guard.h"
#include "client/cli/job_text.h"
#include "client/cli/job_watch.h"
#include "client/cli/progress_bar.h"
#include "client/cli/session.h"
#include "client/cli/text_format.h"
#include "client/status_macros.h"

namespace modelpatch::client {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kTrainExamples = 20000;
constexpr int kValidationExamples = 2000;
constexpr int kTestExamples = 5000;

absl::StatusOr<v1::Task> CreateTask(Client& client, const std::string& generator,
                                    const std::vector<std::string>& templates) {
  v1::CreateTaskRequest request;
  request.set_task_id(generator);
  v1::TaskGenerator& source = *request.mutable_task()->mutable_generator();
  source.set_generator(generator);
  source.set_train_examples(kTrainExamples);
  source.set_validation_examples(kValidationExamples);
  source.set_test_examples(kTestExamples);
  // The same images whatever --seed says, which is the training's.
  source.set_seed(1);
  for (const std::string& text : templates) request.mutable_task()->add_templates(text);
  return client.CreateTask(request);
}

v1::CreatePatchJobRequest JobRequest(const DemoOptions& options, const v1::Model& model, const v1::Task& patching,
                                     const v1::Task& supported) {
  v1::CreatePatchJobRequest request;
  request.set_patch_job_id("demo");
  v1::PatchJobSpec& spec = *request.mutable_patch_job()->mutable_spec();
  spec.set_model(model.name());
  spec.add_patching_tasks(patching.name());
  spec.add_supported_tasks(supported.name());
  spec.mutable_alpha_policy()->mutable_budget()->set_epsilon_points(options.epsilon_points);
  v1::FineTuneOptions& fine_tune = *spec.mutable_fine_tune();
  fine_tune.set_steps(options.steps);
  fine_tune.set_batch_size(options.batch_size);
  fine_tune.set_learning_rate(options.learning_rate);
  fine_tune.set_warmup_steps(options.steps / 10);
  fine_tune.set_seed(options.seed);
  return request;
}

// The curve on test data: at α = 0, the chosen one and 1 as the job has measured it, between them by a sweep.
absl::StatusOr<std::vector<v1::SweepPoint>> TestCurve(Client& client, const v1::PatchJob& job,
                                                      const DemoFigures& figures) {
  std::vector<v1::SweepPoint> points = MeasuredPoints(figures);
  v1::SweepRequest request;
  request.mutable_end()->set_model(job.spec().model());
  v1::MixtureTerm& term = *request.mutable_end()->add_terms();
  term.set_checkpoint(job.result().checkpoints(0));
  term.set_coefficient(1);
  for (const double alpha : AlphasBetween(points)) request.add_alphas(alpha);
  *request.mutable_patching_tasks() = job.spec().patching_tasks();
  *request.mutable_supported_tasks() = job.spec().supported_tasks();
  request.set_split(v1::SPLIT_TEST);
  CLIENT_RETURN_IF_ERROR(client.Sweep(request, [&](const v1::SweepPoint& point) { points.push_back(point); }).status());
  std::sort(points.begin(), points.end(), [](const auto& a, const auto& b) { return a.alpha() < b.alpha(); });
  return points;
}

class Demo {
 public:
  Demo(Session& session, const DemoOptions& options, DemoServer& server)
      : session_(session), options_(options), server_(server) {}

  absl::Status Run() {
    const auto start = Clock::now();
    CLIENT_RETURN_IF_ERROR(Prepare());
    CLIENT_RETURN_IF_ERROR(Patch());
    const v1::PatchJobResult& result = job_.result();
    CLIENT_ASSIGN_OR_RETURN(DemoFigures figures, FiguresOf(result));
    Say("\nThe curve on test data, which the choice of α never saw:\n");
    CLIENT_ASSIGN_OR_RETURN(figures.points, TestCurve(session_.client(), job_, figures));
    Say(CurveTable(figures.points, result.alpha()) + "\n");
    Say(CurvePlot(figures.points, result.alpha(), LocaleIsUtf8()) + "\n");
    Say(FinalTable(result) + "\n" + VerdictText(figures, options_.epsilon_points) + "\n");
    CLIENT_RETURN_IF_ERROR(ClassifyDemoImages(session_, options_.images_directory, job_, patching_, supported_));
    figures.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return WriteFigures(figures);
  }

  const v1::PatchJob& job() const { return job_; }

 private:
  void Say(const std::string& text) { session_.out() << text << std::flush; }

  absl::Status Prepare() {
    CLIENT_RETURN_IF_ERROR(server_.WaitUntilReady());
    session_.server = server_.address();
    Say(absl::StrCat("modelpatch-server runs at ", server_.address(), " with its data in ", server_.data_directory(),
                     "\n"));
    Client& client = session_.client();
    v1::ImportModelRequest import;
    import.set_model_id("demo");
    import.set_path(fs::absolute(options_.model_directory).lexically_normal().string());
    CLIENT_ASSIGN_OR_RETURN(model_, client.ImportModel(import));
    Say(absl::StrFormat("imported %s: a CLIP of %d + %d parameters\n", model_.name(), model_.image_encoder_parameters(),
                        model_.text_encoder_parameters()));
    CLIENT_ASSIGN_OR_RETURN(
        supported_, CreateTask(client, "colors", {"a photo of a {c} shape.", "something {c}.", "a {c} thing."}));
    CLIENT_ASSIGN_OR_RETURN(
        patching_,
        CreateTask(client, "digits", {"a photo of the number {c}.", "a handwritten {c}.", "the digit {c}."}));
    Say(absl::StrFormat(
        "created %s (supported: what colour is it?) and %s (patching: which digit is it?), %d test images each\n\n",
        supported_.name(), patching_.name(), kTestExamples));
    return absl::OkStatus();
  }

  absl::Status Patch() {
    CLIENT_ASSIGN_OR_RETURN(const v1::PatchJob created,
                            session_.client().CreatePatchJob(JobRequest(options_, model_, patching_, supported_)));
    Say(absl::StrFormat(
        "submitted %s: %d steps of fine-tuning on %s, then the largest gain that costs %s at most %s points\n"
        "on validation data\n",
        created.name(), options_.steps, patching_.name(), supported_.name(), Number(options_.epsilon_points)));
    CLIENT_ASSIGN_OR_RETURN(job_, WatchJob(session_, created.name()));
    CLIENT_RETURN_IF_ERROR(OutcomeOf(job_));
    if (job_.result().checkpoints().empty()) return absl::DataLossError("the job's result names no checkpoint");
    return absl::OkStatus();
  }

  absl::Status WriteFigures(const DemoFigures& figures) {
    if (options_.json_file.empty()) return absl::OkStatus();
    std::ofstream file(options_.json_file, std::ios::binary | std::ios::trunc);
    file << FiguresJson(figures);
    file.close();
    if (!file) return absl::UnavailableError(absl::StrCat("cannot write ", options_.json_file));
    Say(absl::StrCat("\nthe figures are in ", options_.json_file, "\n"));
    return absl::OkStatus();
  }

  Session& session_;
  const DemoOptions& options_;
  DemoServer& server_;
  v1::Model model_;
  v1::Task supported_;
  v1::Task patching_;
  v1::PatchJob job_;
};

}  // namespace

absl::Status RunDemo(Session& session, const DemoOptions& options) {
  if (!options.json_file.empty() && !std::ofstream(options.json_file, std::ios::app)) {
    return absl::InvalidArgumentError(absl::StrCat("cannot write ", options.json_file));
  }
  std::error_code error;
  if (!fs::is_directory(options.model_directory, error)) {
    return absl::NotFoundError(absl::StrCat("there is no model in ", options.model_directory, "; say --model-dir DIR"));
  }
  session.json = false;
  // The guard blocks the signals first, so that none can come between the start of the server and its keeper.
  std::unique_ptr<DemoServer> server;
  std::mutex mutex;
  const InterruptGuard guard([&] {
    session.error() << "\ninterrupted: ending the server" << std::endl;
    const std::lock_guard lock(mutex);
    if (server != nullptr) server->CleanUp();
  });
  {
    const std::lock_guard lock(mutex);
    CLIENT_ASSIGN_OR_RETURN(
        server, DemoServer::Start({options.server_binary, {fs::absolute(options.model_directory).string()}}));
  }
  Demo demo(session, options, *server);
  const absl::Status status = demo.Run();
  if (status.ok()) session.out() << EpilogueText(demo.job(), *server, options.keep) << std::flush;
  if (status.ok() && options.keep) {
    server->Keep();
  } else {
    server->CleanUp();
  }
  return status;
}

}  // namespace modelpatch::client
