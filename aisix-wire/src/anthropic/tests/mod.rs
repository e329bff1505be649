mod errors;
mod meter;
