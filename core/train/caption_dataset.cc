#include "core/train/caption_dataset.h"

#include <algorithm>
#include <utility>

#include "core/base/random.h"

namespace modelpatch::train {
namespace {

std::string Expand(const std::string& template_text, const std::string& class_name) {
  constexpr std::string_view kPlace = "{c}";
  std::string caption = template_text;
  for (size_t at = caption.find(kPlace); at != std::string::npos; at = caption.find(kPlace, at + class_name.size())) {
    caption.replace(at, kPlace.size(), class_name);
  }
  return caption;
}

}  // namespace

CaptionDataset::CaptionDataset(std::vector<CaptionPart> parts, uint64_t seed) : parts_(std::move(parts)) {
  for (size_t p = 0; p < parts_.size(); ++p) {
    const CaptionPart& part = parts_[p];
    first_concept_.push_back(static_cast<int32_t>(concepts_.size()));
    for (size_t c = 0; c < part.task.class_names.size(); ++c) concepts_.push_back({p, c});
    std::vector<int64_t> order = base::RandomStream(seed, "caption subset", p).Permutation(part.task.train->size());
    if (part.maximum_examples > 0 && part.maximum_examples < static_cast<int64_t>(order.size())) {
      order.resize(static_cast<size_t>(part.maximum_examples));
    }
    for (const int64_t index : order) examples_.push_back({p, index});
  }
}

int32_t CaptionDataset::label(int64_t index) const {
  const Example& example = examples_[static_cast<size_t>(index)];
  return first_concept_[example.part] + parts_[example.part].task.train->label(example.index);
}

absl::StatusOr<data::RgbImage> CaptionDataset::image(int64_t index) const {
  const Example& example = examples_[static_cast<size_t>(index)];
  return parts_[example.part].task.train->image(example.index);
}

std::string CaptionDataset::Caption(int32_t concept_index, uint64_t choice) const {
  const Concept& found = concepts_[static_cast<size_t>(concept_index)];
  const data::Task& task = parts_[found.part].task;
  return Expand(task.templates[choice % task.templates.size()], task.class_names[found.class_index]);
}

bool CaptionDataset::MayFlip(int32_t concept_index) const {
  return parts_[concepts_[static_cast<size_t>(concept_index)].part].flip;
}

std::vector<std::string> CaptionDataset::AllCaptions() const {
  std::vector<std::string> captions;
  for (int32_t index = 0; index < static_cast<int32_t>(concepts_.size()); ++index) {
    const size_t templates = parts_[concepts_[static_cast<size_t>(index)].part].task.templates.size();
    for (size_t choice = 0; choice < templates; ++choice) captions.push_back(Caption(index, choice));
  }
  return captions;
}

}  // namespace modelpatch::train
