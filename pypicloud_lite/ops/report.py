"""What a look at the storage found and did."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Report:
    """``remarks`` are lines for a person; the other fields count files."""

    files: int = 0
    restored: int = 0
    imported: int = 0
    replaced: int = 0
    removed: int = 0
    remarks: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """The figures by name."""
        return {
            "files": self.files,
            "restored": self.restored,
            "imported": self.imported,
            "replaced": self.replaced,
            "removed": self.removed,
        }
