#include "core/data/generated_dataset.h"

#include <fmt/format.h>

#include <utility>

#include "core/base/digest.h"
#include "core/base/text.h"
#include "core/data/digit_generator.h"
#include "core/data/join_names.h"
#include "core/data/shape_generator.h"

namespace modelpatch::data {
namespace {

// Part of the digest: to be raised whenever a generator draws other pixels than before.
constexpr uint64_t kDrawingVersion = 1;

class GeneratedDataset final : public Dataset {
 public:
  GeneratedDataset(std::shared_ptr<const Generator> generator, uint64_t seed, Split split, int64_t count, int side)
      : generator_(std::move(generator)), seed_(seed), split_(split), count_(count), side_(side) {}

  int64_t size() const override { return count_; }
  int32_t label(int64_t index) const override {
    return static_cast<int32_t>(index % static_cast<int64_t>(generator_->class_names().size()));
  }
  absl::StatusOr<RgbImage> image(int64_t index) const override {
    return generator_->Draw(seed_, split_, index, side_).image;
  }

 private:
  const std::shared_ptr<const Generator> generator_;
  const uint64_t seed_;
  const Split split_;
  const int64_t count_;
  const int side_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const Generator>> FindGenerator(std::string_view name) {
  if (name == "colors") return MakeShapeGenerator(ShapeTask::kColors);
  if (name == "digits") return MakeDigitGenerator();
  if (name == "shapes") return MakeShapeGenerator(ShapeTask::kShapes);
  return base::InvalidArgument("UNKNOWN_GENERATOR", fmt::format("there is no generator '{}'; the names are: {}",
                                                                base::Printable(name), JoinNames(GeneratorNames())));
}

std::vector<std::string_view> GeneratorNames() { return {"colors", "digits", "shapes"}; }

OpenedDataset MakeGeneratedDataset(std::shared_ptr<const Generator> generator, uint64_t seed, Split split,
                                   int64_t count, int side) {
  OpenedDataset opened;
  const auto names = generator->class_names();
  opened.class_names.assign(names.begin(), names.end());
  base::Sha256 digest;
  digest.UpdateInteger(kDrawingVersion);
  digest.UpdateInteger(generator->name().size());
  digest.Update(generator->name());
  for (const uint64_t value :
       {seed, static_cast<uint64_t>(split), static_cast<uint64_t>(count), static_cast<uint64_t>(side)}) {
    digest.UpdateInteger(value);
  }
  opened.digest = digest.Finish();
  opened.dataset = std::make_shared<const GeneratedDataset>(std::move(generator), seed, split, count, side);
  return opened;
}

}  // namespace modelpatch::data
