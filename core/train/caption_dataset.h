// CaptionDataset: the training images of several tasks as one data set of images and captions.
//
// A label is a concept: one class of one task. Its captions are the task's templates with the class name put in.
// Immutable, thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/data/dataset.h"
#include "core/data/task.h"

namespace modelpatch::train {

struct CaptionPart {
  data::Task task;
  // 0 means all.
  int64_t maximum_examples = 0;
  bool flip = false;
};

class CaptionDataset final : public data::Dataset {
 public:
  // Takes each part's training split, or a seeded subset of it.
  CaptionDataset(std::vector<CaptionPart> parts, uint64_t seed);

  int64_t size() const override { return static_cast<int64_t>(examples_.size()); }
  int32_t label(int64_t index) const override;
  absl::StatusOr<data::RgbImage> image(int64_t index) const override;

  int64_t concept_count() const { return static_cast<int64_t>(concepts_.size()); }
  // A caption of the concept; `choice` picks the template.
  std::string Caption(int32_t concept_index, uint64_t choice) const;
  // Whether images of the concept may be mirrored.
  bool MayFlip(int32_t concept_index) const;
  // Every caption that can occur.
  std::vector<std::string> AllCaptions() const;

 private:
  struct Example {
    size_t part;
    int64_t index;
  };
  struct Concept {
    size_t part;
    size_t class_index;
  };

  std::vector<CaptionPart> parts_;
  // Of each part: its first concept.
  std::vector<int32_t> first_concept_;
  std::vector<Concept> concepts_;
  std::vector<Example> examples_;
};

}  // namespace modelpatch::train
