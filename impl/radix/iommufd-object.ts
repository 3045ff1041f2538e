/**
 * What all objects of an iommufd context have in common (OBJ-01..05).
 *
 * `users` counts who else needs the object; an object without users can be destroyed. Each kind
 * of object says in its destroy() what it lets go of, and it has been taken out of the context
 * by then.
 */
export abstract class IommufdObject {
  // Declared only: fields that are defined before they are set take long where a class has many
  // subclasses.
  declare readonly id: number;
  declare users: number;

  constructor(id: number) {
    this.id = id;
    this.users = 0;
  }

  abstract destroy(): void;
}
