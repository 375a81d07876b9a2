//! What the binary writer knows of a callsite: the shapes that its records have had. Runs on the
//! collector; allocates for a shape that is new, and then no more.

/// Shapes that are remembered for a callsite; of more, the oldest are forgotten, and written anew
/// when they come again.
const SHAPES_MAX: usize = 64;

/// A callsite that has had records.
#[derive(Debug)]
pub(super) struct Known {
    /// Its entry.
    pub(super) site: Box<[u8]>,
    pub(super) epoch: u32,
    pub(super) number: u32,
    shapes: Vec<Shape>,
    /// The next to be forgotten, once there are [`SHAPES_MAX`].
    oldest: usize,
}

/// What records of a callsite have in common besides it.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) meta: u32,
    pub(super) tags: Box<[u8]>,
    pub(super) epoch: u32,
    pub(super) number: u16,
}

impl Known {
    /// One that no segment has yet.
    pub(super) fn new(site: Vec<u8>) -> Known {
        Known { site: site.into(), epoch: 0, number: 0, shapes: Vec::new(), oldest: 0 }
    }

    /// The shape with these tags; a new one takes the place of the oldest where there are many.
    pub(super) fn shape_of(&mut self, meta: u32, tags: &[u8]) -> &mut Shape {
        let is_it = |shape: &Shape| shape.meta == meta && *shape.tags == *tags;
        let found = self.shapes.iter().position(is_it);
        let at = found.unwrap_or_else(|| {
            let new = Shape { meta, tags: tags.into(), epoch: 0, number: 0 };
            if self.shapes.len() < SHAPES_MAX {
                self.shapes.push(new);
                return self.shapes.len() - 1;
            }
            let at = self.oldest;
            self.oldest = (at + 1) % SHAPES_MAX;
            self.shapes[at] = new;
            at
        });
        &mut self.shapes[at]
    }
}
