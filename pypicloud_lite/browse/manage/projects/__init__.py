"""What becomes of projects, in pages: status, yanking, deletion, and who may do what there."""
